import Compute

/// A state_dict in torch.save's zip form: an ordered dictionary of tensors with a storage each.
extension TorchZipArchive {
  static func write(_ file: StateDictionaryFile, to sink: ByteSink, tensor: (Int) throws -> Tensor) throws {
    var archive = ZipWriter(sink: sink, folder: "archive/")
    try archive.add("data.pkl", pickle(file.entries))
    try archive.add("byteorder", Array("little".utf8))
    for (name, text) in file.metadata.sorted(by: { $0.key < $1.key }) {
      try archive.add(metadataFolder + name, Array(text.utf8))
    }
    for index in file.entries.indices {
      try tensor(index).withUnsafeBufferPointer { try archive.add("data/\(index)", UnsafeRawBufferPointer($0)) }
    }
    try archive.add("version", Array("3\n".utf8))
    try archive.finish()
  }

  /// The object's pickle, protocol 2: storage `data/N` belongs to entry N.
  private static func pickle(_ entries: [(name: String, shape: [Int])]) -> [UInt8] {
    var pickle = PickleWriter()
    pickle.global("collections", "OrderedDict")
    pickle.opcodes(")R(")
    for (index, entry) in entries.enumerated() {
      let strides = StoredTensor.rowMajorStrides(entry.shape) ?? []
      pickle.text(entry.name)
      pickle.global("torch._utils", "_rebuild_tensor_v2")
      pickle.opcodes("((")
      pickle.text("storage")
      pickle.global("torch", "FloatStorage")
      pickle.text("\(index)")
      pickle.text("cpu")
      pickle.integer(entry.shape.reduce(1, *))
      pickle.opcodes("tQ")
      pickle.integer(0)
      pickle.integers(entry.shape)
      pickle.integers(strides)
      pickle.opcodes([0x89])
      pickle.global("collections", "OrderedDict")
      pickle.opcodes(")RtR")
    }
    pickle.opcodes("u.")
    return pickle.bytes
  }
}

/// Writes the few opcodes of a state_dict.
private struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func opcodes(_ text: String) { bytes += Array(text.utf8) }

  mutating func opcodes(_ codes: [UInt8]) { bytes += codes }

  mutating func global(_ module: String, _ name: String) { opcodes("c\(module)\n\(name)\n") }

  mutating func text(_ text: String) {
    bytes.append(UInt8(ascii: "X"))
    bytes += UInt32(text.utf8.count).littleEndianBytes
    bytes += Array(text.utf8)
  }

  mutating func integer(_ value: Int) {
    if let small = UInt8(exactly: value) {
      bytes += [UInt8(ascii: "K"), small]
    } else if let medium = Int32(exactly: value) {
      bytes.append(UInt8(ascii: "J"))
      bytes += medium.littleEndianBytes
    } else {
      bytes += [0x8A, 8] + value.littleEndianBytes
    }
  }

  mutating func integers(_ values: [Int]) {
    opcodes("(")
    for value in values { integer(value) }
    opcodes("t")
  }
}

/// Writes a zip archive as torch does: stored entries whose data begin at multiples of 64 bytes, a 64-bit directory.
private struct ZipWriter {
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
