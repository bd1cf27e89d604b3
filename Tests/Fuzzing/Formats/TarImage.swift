/// A tar archive taken apart; the checksums of its headers are made right when it is put together again.
struct TarImage {
  struct File {
    var name: String
    var content: [UInt8]
    /// The type flag: `0` a file, `1` and `2` links, `x` and `g` pax headers, `L` a long name.
    var kind: Character = "0"
    /// What a link stands for.
    var target = ""
    /// Header fields that are not what they should be, by their place.
    var lies: [Int: [UInt8]] = [:]
    var hasWrongChecksum = false
  }

  private static let blockBytes = 512

  var files: [File]
  /// Whether two empty blocks end it.
  var hasEnd = true

  init(files: [File]) { self.files = files }

  /// - Returns: nil for bytes that are no archive.
  init?(_ bytes: [UInt8]) {
    files = []
    hasEnd = false
    var place = 0
    while place + Self.blockBytes <= bytes.count {
      let header = bytes[place..<place + Self.blockBytes]
      if !header.contains(where: { $0 != 0 }) {
        hasEnd = true
        break
      }
      let octal = header.dropFirst(124).prefix(11).reduce(0) { value, digit in
        (0x30...0x37).contains(digit) ? min(value * 8 + Int(digit) - 0x30, 1 << 40) : value
      }
      let start = place + Self.blockBytes
      let end = min(bytes.count, start + octal)
      let name = String(decoding: header.prefix(100).prefix { $0 != 0 }, as: UTF8.self)
      let kind = Character(UnicodeScalar(header[header.startIndex + 156]))
      let target = String(decoding: header.dropFirst(157).prefix(100).prefix { $0 != 0 }, as: UTF8.self)
      files.append(File(name: name, content: Array(bytes[start..<end]), kind: kind, target: target))
      place = start + (octal + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes
    }
    guard !files.isEmpty else { return nil }
  }

  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    for file in files {
      bytes += header(file) + file.content
      bytes += [UInt8](repeating: 0, count: (Self.blockBytes - file.content.count % Self.blockBytes) % Self.blockBytes)
    }
    return bytes + (hasEnd ? [UInt8](repeating: 0, count: 2 * Self.blockBytes) : [])
  }

  private func header(_ file: File) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: Self.blockBytes)
    func put(_ bytes: [UInt8], at place: Int) {
      for (offset, byte) in bytes.enumerated() where place + offset < header.count { header[place + offset] = byte }
    }
    func octal(_ value: Int, digits: Int) -> [UInt8] {
      let text = String(value, radix: 8)
      return Array((String(repeating: "0", count: max(0, digits - text.count)) + text).utf8)
    }
    put(Array(file.name.utf8.prefix(100)), at: 0)
    for (place, digits) in [(100, 7), (108, 7), (116, 7), (136, 11)] { put(octal(0, digits: digits), at: place) }
    put(octal(file.content.count, digits: 11), at: 124)
    put(Array("\(file.kind)".utf8), at: 156)
    put(Array(file.target.utf8.prefix(100)), at: 157)
    put(Array("ustar".utf8) + [0, 0x30, 0x30], at: 257)
    for (place, lie) in file.lies { put(lie, at: place) }
    let sum = header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
    put(octal(file.hasWrongChecksum ? sum + 1 : sum, digits: 6) + [0, 32], at: 148)
    return header
  }

  /// Changes the archive.
  static func mutate(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    guard var image = TarImage(bytes) else { return ByteMutation.apply(bytes, &random) }
    for _ in 0...(random.oneIn(2) ? 0 : random.below(3)) {
      guard !image.files.isEmpty else { break }
      let index = random.below(image.files.count)
      switch random.below(16) {
      case 0: image.files.remove(at: index)
      case 1: image.files.insert(random.pick(image.files), at: index)
      case 2: image.files.swapAt(index, random.below(image.files.count))
      case 3: image.files[index].kind = random.pick(Array("0123456789xgLKSVDMN\u{0}"))
      case 4: image.files[index].name = random.pick(["a.png", "../x.png", "/x.png", "a/", "", "x.jpg", "\u{1}.png"])
      case 5: image.files[index].hasWrongChecksum = true
      case 6: image.hasEnd.toggle()
      case 7, 8: image.files[index].lies[124] = size(&random)
      case 9: image.files[index].lies[random.below(512)] = random.bytes(1 + random.below(12))
      case 10:
        // Another claim of a size, a name or holes, in front of what it is of.
        let key = random.pick([
          "size", "path", "GNU.sparse.map", "GNU.sparse.realsize", "GNU.sparse.major", "linkpath", "hdrcharset",
        ])
        let line = " \(key)=\(random.integer())\n"
        let content = Array("\(line.utf8.count + (random.oneIn(4) ? random.below(9) : 2))\(line)".utf8)
        image.files.insert(File(name: "x", content: content, kind: random.pick(["x", "g"])), at: index)
      case 12:
        image.files[index].target = random.pick(image.files.map(\.name) + ["", "..", "/x", "link.png", "a/../1.png"])
      case 11: image.files[index].content = ByteMutation.apply(image.files[index].content, &random)
      default: image.files[index].content = PNGImage.mutate(image.files[index].content, &random)
      }
    }
    return random.oneIn(12) ? ByteMutation.apply(image.encoded, &random) : image.encoded
  }

  /// A size field: octal, or binary with its mark.
  private static func size(_ random: inout FuzzRandom) -> [UInt8] {
    let value = random.integer()
    if random.oneIn(2) { return [random.pick([0x80, 0xFF, 0x81]), 0, 0, 0] + value.bytes.reversed() }
    return Array(String(value.magnitude, radix: 8).utf8.prefix(12))
  }
}
