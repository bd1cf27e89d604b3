import CZlib

/// A zip archive taken apart, so that it can be put together again with chosen lies.
struct ZipImage {
  struct Entry {
    var name: [UInt8]
    /// The content, expanded.
    var content: [UInt8]
    var isDeflated: Bool
    /// Bytes in the place of the content as stored; nil for the true ones.
    var storedLie: [UInt8]?
    /// Header fields that are not what they should be, by their place in the local and in the central header.
    var localLies: [Int: (value: Int, width: Int)] = [:]
    var centralLies: [Int: (value: Int, width: Int)] = [:]
    /// Extra field of the central header.
    var extra: [UInt8] = []
  }

  var entries: [Entry]
  /// Whether a 64-bit end record is written.
  var hasWideEnd: Bool
  var wideEndLies: [Int: (value: Int, width: Int)] = [:]
  var endLies: [Int: (value: Int, width: Int)] = [:]
  var comment: [UInt8] = []

  /// - Returns: nil for bytes that are no archive of stored and deflated entries.
  init?(_ bytes: [UInt8]) {
    guard let end = bytes.indices.last(where: { bytes.has([0x50, 0x4B, 5, 6], at: $0) }) else { return nil }
    hasWideEnd = bytes.has([0x50, 0x4B, 6, 7], at: end - 20)
    entries = []
    var place = bytes.number(at: end + 16, count: 4)
    while bytes.has([0x50, 0x4B, 1, 2], at: place) {
      let nameCount = bytes.number(at: place + 28, count: 2)
      let start = bytes.number(at: place + 42, count: 4)
      let stored = bytes.number(at: place + 20, count: 4)
      let data = start + 30 + bytes.number(at: start + 26, count: 2) + bytes.number(at: start + 28, count: 2)
      guard place + 46 + nameCount <= bytes.count, data >= 0, data <= bytes.count, stored <= bytes.count - data else {
        return nil
      }
      let content = Array(bytes[data..<(data + stored)])
      let isDeflated = bytes.number(at: place + 10, count: 2) == 8
      entries.append(
        Entry(
          name: Array(bytes[(place + 46)..<(place + 46 + nameCount)]),
          content: isDeflated ? Zlib.inflated(content, limit: 1 << 20) : content, isDeflated: isDeflated))
      place += 46 + nameCount + bytes.number(at: place + 30, count: 2) + bytes.number(at: place + 32, count: 2)
    }
    guard !entries.isEmpty else { return nil }
  }

  init(entries: [(name: String, content: [UInt8], isDeflated: Bool)], hasWideEnd: Bool = false) {
    self.entries = entries.map { Entry(name: Array($0.name.utf8), content: $0.content, isDeflated: $0.isDeflated) }
    self.hasWideEnd = hasWideEnd
  }

  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let stored = entry.storedLie ?? (entry.isDeflated ? Zlib.deflated(entry.content) : entry.content)
      let start = bytes.count
      let common: [UInt8] =
        [20, 0, 0, 0, entry.isDeflated ? 8 : 0, 0, 0, 0, 0x21, 0] + Zlib.checksum(entry.content).bytes
        + UInt32(stored.count).bytes + UInt32(entry.content.count).bytes
        + UInt16(truncatingIfNeeded: entry.name.count).bytes
      var local = [0x50, 0x4B, 3, 4] + common + [0, 0]
      for (place, lie) in entry.localLies { local.set(lie.value, at: place, count: lie.width) }
      bytes += local + entry.name + stored
      var central: [UInt8] = [0x50, 0x4B, 1, 2, 20, 0] + common + UInt16(entry.extra.count).bytes
      central += [UInt8](repeating: 0, count: 10) + UInt32(start).bytes
      for (place, lie) in entry.centralLies { central.set(lie.value, at: place, count: lie.width) }
      directory += central + entry.name + entry.extra
    }
    let start = bytes.count
    bytes += directory
    let count = entries.count
    if hasWideEnd {
      let place = bytes.count
      var record: [UInt8] = [0x50, 0x4B, 6, 6] + UInt64(44).bytes + [45, 0, 45, 0] + [UInt8](repeating: 0, count: 8)
      record += UInt64(count).bytes + UInt64(count).bytes + UInt64(directory.count).bytes + UInt64(start).bytes
      record += [0x50, 0x4B, 6, 7, 0, 0, 0, 0] + UInt64(place).bytes + [1, 0, 0, 0]
      for (place, lie) in wideEndLies { record.set(lie.value, at: place, count: lie.width) }
      bytes += record
    }
    var end: [UInt8] = [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + UInt16(count).bytes + UInt16(count).bytes
    end += UInt32(directory.count).bytes + UInt32(start).bytes + UInt16(comment.count).bytes
    for (place, lie) in endLies { end.set(lie.value, at: place, count: lie.width) }
    return bytes + end + comment
  }

  /// Changes the archive.
  /// - Parameter content: changes the content of an entry, given its name.
  static func mutate(
    _ bytes: [UInt8], _ random: inout FuzzRandom, content: (String, [UInt8], inout FuzzRandom) -> [UInt8]
  ) -> [UInt8] {
    guard var image = ZipImage(bytes) else { return ByteMutation.apply(bytes, &random) }
    for _ in 0...(random.oneIn(2) ? 0 : random.below(3)) {
      guard !image.entries.isEmpty else { break }
      let index = random.below(image.entries.count)
      switch random.below(20) {
      case 0: image.entries.remove(at: index)
      case 1: image.entries.insert(image.entries[index], at: random.below(image.entries.count))
      case 2: image.entries.swapAt(index, random.below(image.entries.count))
      case 3: image.entries[index].name = ByteMutation.apply(image.entries[index].name, &random)
      case 4: image.entries[index].name = random.pick(image.entries).name
      case 5: image.entries[index].isDeflated.toggle()
      case 6:
        let entry = image.entries[index]
        image.entries[index].storedLie = ByteMutation.apply(
          entry.isDeflated ? Zlib.deflated(entry.content) : entry.content, &random)
      case 7: lie(&image.entries[index].localLies, random.pick(localFields), &random)
      case 8: lie(&image.entries[index].centralLies, random.pick(centralFields), &random)
      case 9:
        // The same lie in both headers.
        let field = random.pick(localFields.dropLast(2))
        lie(&image.entries[index].localLies, field, &random)
        image.entries[index].centralLies[field.0 + 2] = image.entries[index].localLies[field.0]
      case 10: lie(&image.endLies, random.pick([(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]), &random)
      case 11:
        image.hasWideEnd = true
        lie(&image.wideEndLies, random.pick([(24, 8), (32, 8), (40, 8), (48, 8), (64, 8), (4, 8)]), &random)
      case 12:
        image.entries[index].extra =
          [1, 0, UInt8(8 * random.below(5)), 0] + random.integer().bytes + random.integer().bytes
        lie(&image.entries[index].centralLies, random.pick([(20, 4), (24, 4), (42, 4)]), &random)
      case 13: image.comment = random.bytes(random.below(40))
      default:
        let entry = image.entries[index]
        image.entries[index].content = content(String(decoding: entry.name, as: UTF8.self), entry.content, &random)
      }
    }
    return random.oneIn(12) ? ByteMutation.apply(image.encoded, &random) : image.encoded
  }

  private static let localFields = [(6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)]
  private static let centralFields = localFields.map { ($0.0 + 2, $0.1) } + [(32, 2), (42, 4)]

  private static func lie(
    _ lies: inout [Int: (value: Int, width: Int)], _ field: (Int, Int), _ random: inout FuzzRandom
  ) {
    lies[field.0] = (random.oneIn(3) ? -1 : random.integer(), field.1)
  }
}

/// zlib over arrays.
enum Zlib {
  static func checksum(_ bytes: [UInt8]) -> UInt32 { UInt32(crc32(0, bytes, UInt32(bytes.count))) }

  /// Raw deflate, as zip entries have it.
  static func deflated(_ bytes: [UInt8]) -> [UInt8] {
    run(bytes, limit: bytes.count + bytes.count / 100 + 64, isDeflate: true)
  }

  /// What can be expanded of a raw deflate stream, at most `limit` bytes.
  static func inflated(_ bytes: [UInt8], limit: Int) -> [UInt8] { run(bytes, limit: limit, isDeflate: false) }

  /// A zlib stream, as PNG has it.
  static func stream(_ bytes: [UInt8]) -> [UInt8] {
    let sum = UInt32(adler32(1, bytes, UInt32(bytes.count)))
    return [0x78, 0x9C] + deflated(bytes) + sum.bytes.reversed()
  }

  private static func run(_ bytes: [UInt8], limit: Int, isDeflate: Bool) -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    let status =
      isDeflate
      ? deflateInit2_(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
      : inflateInit2_(&stream, -15, ZLIB_VERSION, size)
    guard status == Z_OK else { return [] }
    var input = bytes
    var output = [UInt8](repeating: 0, count: limit)
    input.withUnsafeMutableBufferPointer { source in
      output.withUnsafeMutableBufferPointer { target in
        (stream.next_in, stream.avail_in) = (source.baseAddress, UInt32(source.count))
        (stream.next_out, stream.avail_out) = (target.baseAddress, UInt32(target.count))
        if isDeflate { _ = deflate(&stream, Z_FINISH) } else { _ = inflate(&stream, Z_FINISH) }
      }
    }
    let count = limit - Int(stream.avail_out)
    if isDeflate { deflateEnd(&stream) } else { inflateEnd(&stream) }
    return Array(output.prefix(count))
  }
}
