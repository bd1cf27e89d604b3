/// A PNG file as its chunks; every checksum is made anew.
struct PNGImage {
  var chunks: [(type: [UInt8], data: [UInt8])]

  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// - Returns: nil for bytes that are no PNG file.
  init?(_ bytes: [UInt8]) {
    guard bytes.starts(with: Self.signature) else { return nil }
    chunks = []
    var place = 8
    while place + 12 <= bytes.count {
      let length = bytes[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - place - 12 else { break }
      chunks.append((Array(bytes[(place + 4)..<(place + 8)]), Array(bytes[(place + 8)..<(place + 8 + length)])))
      place += 12 + length
    }
    guard !chunks.isEmpty else { return nil }
  }

  var encoded: [UInt8] {
    chunks.reduce(Self.signature) { bytes, chunk in
      bytes + UInt32(chunk.data.count).bytes.reversed() + chunk.type + chunk.data
        + Zlib.checksum(chunk.type + chunk.data).bytes.reversed()
    }
  }

  static func mutate(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    guard var image = PNGImage(bytes), !image.chunks.isEmpty else { return ByteMutation.apply(bytes, &random) }
    for _ in 0...random.below(3) {
      guard !image.chunks.isEmpty else { break }
      let index = random.below(image.chunks.count)
      switch random.below(10) {
      case 0: image.chunks.remove(at: index)
      case 1: image.chunks.insert(image.chunks[index], at: random.below(image.chunks.count))
      case 2: image.chunks.swapAt(index, random.below(image.chunks.count))
      case 3: image.chunks[index].data = ByteMutation.apply(image.chunks[index].data, &random)
      case 4: image.chunks[index].type = Array(random.pick(types).utf8)
      case 5: image.chunks.insert(ancillary(&random), at: random.below(image.chunks.count + 1))
      case 6, 7: image.changeHeader(&random)
      default: image.drawRows(&random)
      }
    }
    return random.oneIn(10) ? ByteMutation.apply(image.encoded, &random) : image.encoded
  }

  private static let types = [
    "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "tEXt", "zTXt", "iTXt", "bKGD", "pHYs",
    "sBIT", "hIST", "tIME", "sPLT", "eXIf", "oFFs", "sCAL", "pCAL", "abcd", "ABCD",
  ]

  private static func ancillary(_ random: inout FuzzRandom) -> (type: [UInt8], data: [UInt8]) {
    let type = random.pick(types)
    let text = Array("key\0".utf8)
    switch type {
    case "zTXt", "iCCP":
      return (Array(type.utf8), text + [0] + Zlib.stream([UInt8](repeating: 65, count: 1 << random.below(21))))
    case "iTXt": return (Array(type.utf8), text + [1, 0, 0, 0] + Zlib.stream(random.bytes(random.below(99))))
    default: return (Array(type.utf8), random.bytes(random.pick([0, 1, 2, 4, 6, 7, 9, 13, 32, 768])))
    }
  }

  private mutating func changeHeader(_ random: inout FuzzRandom) {
    guard chunks[0].data.count == 13 else { return }
    switch random.below(5) {
    case 0: chunks[0].data.replaceSubrange(0..<4, with: UInt32(truncatingIfNeeded: random.integer()).bytes.reversed())
    case 1: chunks[0].data.replaceSubrange(4..<8, with: UInt32(truncatingIfNeeded: random.integer()).bytes.reversed())
    case 2: chunks[0].data[8] = random.pick([1, 2, 4, 8, 16, random.byte()])
    case 3: chunks[0].data[9] = random.pick([0, 2, 3, 4, 6, random.byte()])
    default: chunks[0].data[12] = UInt8(random.below(3))
    }
  }

  /// Pixel data anew, as many rows as the header says or others, every row with a filter of its own.
  private mutating func drawRows(_ random: inout FuzzRandom) {
    guard chunks[0].data.count == 13 else { return }
    let width = chunks[0].data[0..<4].reduce(0) { $0 << 8 | Int($1) }
    let height = chunks[0].data[4..<8].reduce(0) { $0 << 8 | Int($1) }
    let row = width * (chunks[0].data[9] == 2 ? 3 : 1)
    guard row <= 1 << 14, height <= 1 << 10, row * height <= 1 << 18 else { return }
    let rows = random.oneIn(3) ? random.below(height + 3) : height
    var pixels: [UInt8] = []
    for _ in 0..<rows { pixels += [UInt8(random.below(random.oneIn(8) ? 256 : 5))] + random.bytes(row) }
    let stream = Zlib.stream(pixels)
    chunks.removeAll { $0.type == Array("IDAT".utf8) }
    let cut = random.below(stream.count + 1)
    let parts = [Array(stream[..<cut]), Array(stream[cut...])].map { (type: Array("IDAT".utf8), data: $0) }
    chunks.insert(contentsOf: parts, at: min(1, chunks.count))
  }
}
