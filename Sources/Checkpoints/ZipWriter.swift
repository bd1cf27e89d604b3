/// Writes a zip archive as torch does: stored entries whose data begin at multiples of 64 bytes, a 64-bit directory.
struct ZipWriter {
  private let sink: ByteSink
  private let folder: String
  private var directory: [UInt8] = []
  private var count = 0

  init(sink: ByteSink, folder: String) { (self.sink, self.folder) = (sink, folder) }

  mutating func add(_ name: String, _ content: [UInt8]) throws {
    try content.withUnsafeBytes { try add(name, $0) }
  }

  mutating func add(_ name: String, _ content: UnsafeRawBufferPointer) throws {
    let name = Array((folder + name).utf8)
    var crc = CRC32()
    crc.update(content)
    let start = UInt64(sink.position)
    let size = UInt64(content.count)
    // A field of torch's own fills up to the alignment; the 64-bit one is there only where it is needed.
    let wide = size >= 0xFFFF_FFFF ? [1, 0, 16, 0] + size.littleEndianBytes + size.littleEndianBytes : []
    let unpadded = sink.position + 30 + name.count + wide.count + 4
    let padding = (64 - unpadded % 64) % 64
    let extra = wide + Array("FB".utf8) + UInt16(padding).littleEndianBytes + Array(repeating: 0x5A, count: padding)
    let narrow = UInt32(min(size, 0xFFFF_FFFF)).littleEndianBytes
    // Version 4.5 for 64-bit records, no flags, stored, no time, the first day of 1980.
    let common: [UInt8] =
      [45, 0, 0, 0, 0, 0, 0, 0, 0x21, 0] + crc.value.littleEndianBytes + narrow + narrow
      + UInt16(name.count).littleEndianBytes
    try sink.write([0x50, 0x4B, 3, 4] + common + UInt16(extra.count).littleEndianBytes + name + extra)
    try sink.write(content)

    var place: [UInt8] = []
    if size >= 0xFFFF_FFFF { place += size.littleEndianBytes + size.littleEndianBytes }
    if start >= 0xFFFF_FFFF { place += start.littleEndianBytes }
    if !place.isEmpty { place = [1, 0] + UInt16(place.count).littleEndianBytes + place }
    directory += [0x50, 0x4B, 1, 2, 45, 0] + common + UInt16(place.count).littleEndianBytes
    directory += [UInt8](repeating: 0, count: 10) + UInt32(min(start, 0xFFFF_FFFF)).littleEndianBytes + name + place
    count += 1
  }

  func finish() throws {
    let start = UInt64(sink.position)
    try sink.write(directory)
    let end = UInt64(sink.position)
    let (number, size) = (UInt64(count).littleEndianBytes, UInt64(directory.count).littleEndianBytes)
    try sink.write(
      [0x50, 0x4B, 6, 6] + UInt64(44).littleEndianBytes + [45, 0, 45, 0] + [UInt8](repeating: 0, count: 8) + number
        + number + size + start.littleEndianBytes)
    try sink.write([0x50, 0x4B, 6, 7, 0, 0, 0, 0] + end.littleEndianBytes + [1, 0, 0, 0])
    // Every number is in the 64-bit record; miniz wants the 16-bit count where it fits.
    let narrowCount = UInt16(clamping: count).littleEndianBytes
    try sink.write(
      [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + narrowCount + narrowCount + UInt32(clamping: directory.count).littleEndianBytes
        + UInt32(min(start, 0xFFFF_FFFF)).littleEndianBytes + [0, 0])
  }
}
