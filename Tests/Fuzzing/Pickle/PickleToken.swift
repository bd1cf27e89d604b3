/// One opcode of a pickle with its argument.
struct PickleToken {
  var opcode: UInt8
  /// The argument without its length field.
  var argument: [UInt8] = []
  /// What the length field says, where that is a lie.
  var declaredLength: Int?

  init(_ opcode: UInt8, _ argument: [UInt8] = []) { (self.opcode, self.argument) = (opcode, argument) }

  init(_ opcode: Character, _ argument: [UInt8] = []) { self.init(opcode.asciiValue ?? 0, argument) }

  /// How an opcode's argument is written.
  enum Form: Equatable {
    case none
    case fixed(Int)
    /// A length field of so many bytes, then that many.
    case counted(Int)
    /// So many texts, each ended by a line feed.
    case lines(Int)
  }

  var form: Form { Self.form(opcode) }

  static func form(_ opcode: UInt8) -> Form {
    switch opcode {
    case UInt8(ascii: "K"), UInt8(ascii: "q"), UInt8(ascii: "h"), 0x80, 0x82: .fixed(1)
    case UInt8(ascii: "M"), 0x83: .fixed(2)
    case UInt8(ascii: "J"), UInt8(ascii: "r"), UInt8(ascii: "j"), 0x84: .fixed(4)
    case UInt8(ascii: "G"), 0x95: .fixed(8)
    case 0x8A, 0x8C, UInt8(ascii: "C"), UInt8(ascii: "U"): .counted(1)
    case UInt8(ascii: "X"), UInt8(ascii: "B"), UInt8(ascii: "T"), 0x8B: .counted(4)
    case 0x8D, 0x8E, 0x96: .counted(8)
    case UInt8(ascii: "c"), UInt8(ascii: "i"): .lines(2)
    case UInt8(ascii: "F"), UInt8(ascii: "I"), UInt8(ascii: "L"), UInt8(ascii: "S"), UInt8(ascii: "V"),
      UInt8(ascii: "P"), UInt8(ascii: "p"), UInt8(ascii: "g"):
      .lines(1)
    default: .none
    }
  }

  /// The bytes as they stand in a pickle.
  var encoded: [UInt8] {
    guard case .counted(let width) = form else { return [opcode] + argument }
    var length = [UInt8](repeating: 0, count: width)
    length.set(declaredLength ?? argument.count, at: 0, count: width)
    return [opcode] + length + argument
  }

  /// Pickle's own name of the opcode.
  var name: String { Self.names[opcode] ?? "0x\(String(opcode, radix: 16))" }

  /// The opcodes that the reader knows.
  static let names: [UInt8: String] = {
    let ascii: [Character: String] = [
      "N": "NONE", "J": "BININT", "K": "BININT1", "M": "BININT2", "G": "BINFLOAT", "X": "BINUNICODE",
      "C": "SHORT_BINBYTES", "B": "BINBYTES", "(": "MARK", "}": "EMPTY_DICT", "]": "EMPTY_LIST", ")": "EMPTY_TUPLE",
      "t": "TUPLE", "a": "APPEND", "e": "APPENDS", "s": "SETITEM", "u": "SETITEMS", "0": "POP", "1": "POP_MARK",
      "q": "BINPUT", "r": "LONG_BINPUT", "h": "BINGET", "j": "LONG_BINGET", "c": "GLOBAL", "R": "REDUCE", "b": "BUILD",
      "Q": "BINPERSID", ".": "STOP", "2": "DUP", "U": "SHORT_BINSTRING", "T": "BINSTRING", "i": "INST", "o": "OBJ",
    ]
    var names: [UInt8: String] = [
      0x80: "PROTO", 0x81: "NEWOBJ", 0x85: "TUPLE1", 0x86: "TUPLE2", 0x87: "TUPLE3", 0x88: "NEWTRUE", 0x89: "NEWFALSE",
      0x8A: "LONG1", 0x8C: "SHORT_BINUNICODE", 0x8D: "BINUNICODE8", 0x8E: "BINBYTES8", 0x8F: "EMPTY_SET",
      0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x8B: "LONG4", 0x91: "FROZENSET", 0x92: "NEWOBJ_EX", 0x96: "BYTEARRAY8",
      0x90: "ADDITEMS", 0x93: "STACK_GLOBAL", 0x94: "MEMOIZE", 0x95: "FRAME",
    ]
    for (character, name) in ascii { names[character.asciiValue ?? 0] = name }
    return names
  }()

  /// Splits one pickle.
  /// - Returns: its tokens, each with the place where it begins, and the place behind STOP; nil where the bytes end
  ///   before it.
  static func parse(_ bytes: [UInt8], from start: Int = 0) -> (tokens: [PickleToken], places: [Int], end: Int)? {
    var tokens: [PickleToken] = []
    var places: [Int] = []
    var place = start
    while place < bytes.count {
      var token = PickleToken(bytes[place])
      places.append(place)
      place += 1
      var count = 0
      switch token.form {
      case .none: break
      case .fixed(let width): count = width
      case .counted(let width):
        guard width <= bytes.count - place else { return nil }
        count = bytes.number(at: place, count: width)
        place += width
      case .lines(let lines):
        var left = lines
        while left > 0, place + count < bytes.count {
          if bytes[place + count] == 0x0A { left -= 1 }
          count += 1
        }
        guard left == 0 else { return nil }
      }
      guard count >= 0, count <= bytes.count - place else { return nil }
      token.argument = Array(bytes[place..<(place + count)])
      place += count
      tokens.append(token)
      if token.opcode == UInt8(ascii: ".") { return (tokens, places, place) }
    }
    return nil
  }

  /// The bytes of a pickle; a frame's length is cut to what follows it.
  static func encode(_ tokens: [PickleToken]) -> [UInt8] {
    var bytes: [UInt8] = []
    var frames: [Int] = []
    for token in tokens {
      if token.opcode == 0x95, token.declaredLength == nil { frames.append(bytes.count) }
      bytes += token.encoded
    }
    for frame in frames { bytes.set(bytes.count - frame - 9, at: frame + 1, count: 8) }
    return bytes
  }
}
