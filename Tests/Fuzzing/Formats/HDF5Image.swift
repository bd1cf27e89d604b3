/// An HDF5 file whose blocks are changed field by field; the checksums of the blocks are then made right.
struct HDF5Image {
  private var bytes: [UInt8]
  /// Where a block with a checksum begins, and where its checksum stands.
  private var blocks: [(start: Int, checksum: Int)] = []
  /// Blocks without a checksum: B-trees of the first version, local heaps, symbol tables, object headers of old files.
  private var plain: [Range<Int>] = []

  static let signature: [UInt8] = [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A]

  init?(_ bytes: [UInt8]) {
    guard bytes.starts(with: Self.signature), bytes.count > 48 else { return nil }
    self.bytes = bytes
    if bytes[8] >= 2 { blocks.append((0, 44)) } else { plain.append(0..<min(bytes.count, 96)) }
    var place = 8
    while place + 8 < bytes.count {
      if let found = block(at: place) {
        blocks.append((place, found))
      } else if ["TREE", "HEAP", "SNOD", "GCOL"].contains(where: { bytes.has(Array($0.utf8), at: place) }) {
        plain.append(place..<min(bytes.count, place + 256))
      } else if bytes[8] < 2, bytes[place] == 1, bytes[place + 1] == 0, place % 8 == 0 {
        // Perhaps an object header of the first version, which has no signature.
        plain.append(place..<min(bytes.count, place + 512))
        place += 7
      }
      place += 1
    }
  }

  /// The place of the checksum of the block that begins at `start`.
  private func block(at start: Int) -> Int? {
    func has(_ name: String) -> Bool { bytes.has(Array(name.utf8), at: start) }
    guard bytes[start] < 0x5B, bytes[start] > 0x40 else { return nil }
    if has("OHDR") {
      let flags = bytes.number(at: start + 5, count: 1)
      let width = 1 << (flags & 3)
      let fields = start + 6 + (flags & 0x20 != 0 ? 16 : 0) + (flags & 0x10 != 0 ? 4 : 0)
      return inside(fields + width + bytes.number(at: fields, count: width))
    }
    if has("FRHP") { return inside(start + 142) }
    if has("BTHD") { return inside(start + 34) }
    if has("BTLF") {
      let header = blocks.last { bytes.has(Array("BTHD".utf8), at: $0.start) }?.start
      guard let header else { return nil }
      return inside(start + 6 + bytes.number(at: header + 26, count: 2) * bytes.number(at: header + 10, count: 2))
    }
    if has("OCHK") {
      // Its length stands in the message that points to it.
      let address = UInt64(start).bytes
      for i in 0..<max(0, bytes.count - 16) where bytes.has(address, at: i) {
        let length = bytes.number(at: i + 8, count: 8)
        if length > 8, length < 1 << 20 { return inside(start + length - 4) }
      }
    }
    return nil
  }

  private func inside(_ place: Int) -> Int? { place > 0 && place <= bytes.count - 4 ? place : nil }

  static func mutate(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    guard var image = HDF5Image(bytes) else { return ByteMutation.apply(bytes, &random) }
    for _ in 0...random.below(3) { image.changeBlock(&random) }
    var result = image.bytes
    if random.oneIn(15) { result = ByteMutation.apply(result, &random) }
    return result
  }

  private mutating func changeBlock(_ random: inout FuzzRandom) {
    if blocks.isEmpty || (!plain.isEmpty && random.oneIn(3)) {
      guard !plain.isEmpty else { return }
      let range = random.pick(plain)
      return change(range.lowerBound + random.below(range.count), &random)
    }
    // Any block is as likely as any other, so the few special ones are rarely hit: choose them more often.
    let special = blocks.filter { !bytes.has(Array("OHDR".utf8), at: $0.start) }
    let block = random.pick(special.isEmpty || random.oneIn(2) ? blocks : special)
    for _ in 0...random.below(2) {
      change(block.start + (random.oneIn(20) ? 0 : 4) + random.below(max(1, block.checksum - block.start - 4)), &random)
    }
    guard !random.oneIn(20) else { return }
    bytes.set(Int(Self.checksum(bytes[block.start..<block.checksum])), at: block.checksum, count: 4)
  }

  private mutating func change(_ place: Int, _ random: inout FuzzRandom) {
    guard place < bytes.count else { return }
    switch random.below(7) {
    case 0: bytes[place] = random.byte()
    case 1: bytes[place] ^= 1 << random.below(8)
    case 2: bytes[place] = random.pick([0, 1, 2, 3, 4, 8, 0x7F, 0xFF])
    case 3: bytes.set(random.integer(), at: place, count: random.pick([2, 4, 8]))
    case 4: bytes[place] = UInt8(random.below(25))
    case 5: bytes.set(blocks.isEmpty ? 0 : random.pick(blocks).start, at: place, count: 8)
    default: bytes[place] &+= UInt8(truncatingIfNeeded: random.below(5) - 2)
    }
  }

  /// Jenkins' lookup3, the checksum of HDF5's metadata.
  static func checksum(_ key: ArraySlice<UInt8>) -> UInt32 {
    func rotate(_ x: UInt32, _ k: UInt32) -> UInt32 { x << k | x >> (32 - k) }
    let bytes = Array(key)
    var (a, b, c) = (
      UInt32(0xDEAD_BEEF) &+ UInt32(bytes.count), UInt32(0xDEAD_BEEF) &+ UInt32(bytes.count),
      UInt32(0xDEAD_BEEF) &+ UInt32(bytes.count)
    )
    var place = 0
    while bytes.count - place > 12 {
      a &+= UInt32(bytes.number(at: place, count: 4))
      b &+= UInt32(bytes.number(at: place + 4, count: 4))
      c &+= UInt32(bytes.number(at: place + 8, count: 4))
      a = (a &- c) ^ rotate(c, 4); c &+= b
      b = (b &- a) ^ rotate(a, 6); a &+= c
      c = (c &- b) ^ rotate(b, 8); b &+= a
      a = (a &- c) ^ rotate(c, 16); c &+= b
      b = (b &- a) ^ rotate(a, 19); a &+= c
      c = (c &- b) ^ rotate(b, 4); b &+= a
      place += 12
    }
    guard place < bytes.count else { return c }
    let rest = Array(bytes[place...]) + [UInt8](repeating: 0, count: 12 - (bytes.count - place))
    a &+= UInt32(rest.number(at: 0, count: 4))
    b &+= UInt32(rest.number(at: 4, count: 4))
    c &+= UInt32(rest.number(at: 8, count: 4))
    c = (c ^ b) &- rotate(b, 14)
    a = (a ^ c) &- rotate(c, 11)
    b = (b ^ a) &- rotate(a, 25)
    c = (c ^ b) &- rotate(b, 16)
    a = (a ^ c) &- rotate(c, 4)
    b = (b ^ a) &- rotate(a, 14)
    c = (c ^ b) &- rotate(b, 24)
    return c
  }
}
