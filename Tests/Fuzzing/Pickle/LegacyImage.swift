/// torch.save's old form: pickles in a row, then the data of the storages.
struct LegacyImage {
  var pickles: [[PickleToken]]
  var tail: [UInt8]

  static let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]

  /// - Returns: nil for bytes that are no such archive.
  init?(_ bytes: [UInt8]) {
    guard bytes.starts(with: Self.magic) else { return nil }
    var pickles: [[PickleToken]] = []
    var place = 0
    while pickles.count < 5, let next = PickleToken.parse(bytes, from: place) {
      pickles.append(next.tokens)
      place = next.end
    }
    guard pickles.count > 2 else { return nil }
    self.pickles = pickles
    tail = Array(bytes[place...])
  }

  var encoded: [UInt8] { pickles.flatMap { PickleToken.encode($0) } + tail }

  static func mutate(_ bytes: [UInt8], donor: [PickleToken], _ random: inout FuzzRandom) -> [UInt8] {
    guard var image = LegacyImage(bytes) else { return ByteMutation.apply(bytes, &random) }
    switch random.below(8) {
    case 0: image.pickles.remove(at: random.below(image.pickles.count))
    case 1: image.pickles.insert(random.pick(image.pickles), at: random.below(image.pickles.count))
    case 2: image.tail.set(random.integer(), at: 0, count: 8)
    case 3: image.tail = ByteMutation.apply(image.tail, &random)
    default:
      // The object and the storage keys more often than the three before them.
      let index = random.oneIn(4) ? random.below(image.pickles.count) : image.pickles.count - 1 - random.below(2)
      image.pickles[index] = PickleMutation.apply(image.pickles[index], donor: donor, &random)
    }
    return image.encoded
  }

  /// An archive of one storage of two floats, as EDM's pickles hold them.
  static let oneStorage: [UInt8] = {
    func text(_ text: String) -> PickleToken { PickleToken("X", Array(text.utf8)) }
    let system: [PickleToken] = [
      PickleToken("}"), text("little_endian"), PickleToken(0x88), PickleToken("s"), PickleToken("."),
    ]
    let object: [PickleToken] = [
      PickleToken("("), text("storage"), PickleToken("c", Array("torch\nFloatStorage\n".utf8)), text("7"), text("cpu"),
      PickleToken("K", [2]), PickleToken("N"), PickleToken("t"), PickleToken("Q"), PickleToken("."),
    ]
    let keys: [PickleToken] = [PickleToken("]"), text("7"), PickleToken("a"), PickleToken(".")]
    let start: [PickleToken] = [PickleToken(0x80, [2])]
    let version: [PickleToken] = [PickleToken("M", [0xE9, 3]), PickleToken(".")]
    return magic + [version, system, object, keys].flatMap { PickleToken.encode(start + $0) } + UInt64(2).bytes
      + [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]
  }()
}
