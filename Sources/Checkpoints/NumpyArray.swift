import Diagnostics

/// The header of a `.npy` file: a magic number, a version, a length, a Python dictionary of three plain values.
struct NumpyHeader {
  let type: ElementType
  let shape: [Int]
  /// Whether the first axis is the one that moves fastest.
  let isFortranOrder: Bool
  /// Bytes before the first element.
  let byteCount: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// Far above what a type, a flag and sixteen extents need.
  static let limitBytes = 1 << 12

  /// Reads the header at the beginning of `bytes`, of which `limitBytes` are enough.
  init(_ bytes: [UInt8], name: String, file: CheckpointFile) throws {
    func refuse(_ problem: String) -> Failure { file.refuse("\(name): \(problem)") }
    guard bytes.starts(with: Self.magic), bytes.count >= 10 else { throw refuse("not an array of numpy") }
    let lengthBytes = bytes[6] == 1 ? 2 : 4
    guard (1...3).contains(bytes[6]), bytes.count >= 8 + lengthBytes else {
      throw refuse("version \(bytes[6]) of numpy's format; 1 to 3 are read")
    }
    let length = bytes[8..<(8 + lengthBytes)].reversed().reduce(0) { $0 << 8 | Int($1) }
    let start = 8 + lengthBytes
    guard length <= Self.limitBytes - start else { throw refuse("a header of \(length) bytes") }
    guard length <= bytes.count - start else { throw refuse("the header of \(length) bytes is cut off") }
    var literal = PythonLiteral(bytes[start..<(start + length)])
    guard let fields = literal.dictionary(), fields.count == 3, let descriptor = fields["descr"],
      case .flag(let isFortranOrder)? = fields["fortran_order"], case .integers(let shape)? = fields["shape"]
    else { throw refuse("the header is not a dictionary of descr, fortran_order and shape") }
    guard case .text(let descriptor) = descriptor else {
      throw refuse("elements of a structured type, which is not read")
    }
    guard let type = ElementType(numpy: descriptor) else {
      throw refuse("elements of type \(Self.words(descriptor)), which is not read")
    }
    guard shape.count <= 16, StoredTensor.rowMajorStrides(shape) != nil else {
      throw refuse("the shape \(shape) is impossible")
    }
    (self.type, self.shape, self.isFortranOrder) = (type, shape, isFortranOrder)
    byteCount = start + length
  }

  /// A type string with what it means, where that is known.
  private static func words(_ descriptor: String) -> String {
    switch descriptor.drop(while: { "<>|=".contains($0) }).first {
    case "U", "S", "a": "\(descriptor) (text)"
    case "O": "\(descriptor) (objects of Python)"
    case "c": "\(descriptor) (complex numbers)"
    case "V": "\(descriptor) (structures)"
    case _ where descriptor.hasPrefix(">"): "\(descriptor) (big-endian)"
    default: descriptor
    }
  }

  /// Distance in elements between neighbours along each axis.
  var strides: [Int] {
    let strides = StoredTensor.rowMajorStrides(isFortranOrder ? shape.reversed() : shape) ?? []
    return isFortranOrder ? strides.reversed() : strides
  }

  /// Elements of the array; the shape was checked against overflow.
  var count: Int { shape.reduce(1, *) }

  /// The array as a tensor, once the number of bytes behind the header is known.
  /// - Parameter dataBytes: how many they are.
  func tensor(name: String, dataBytes: Int, file: CheckpointFile, place: (inout Storage) -> Void) throws -> StoredTensor
  {
    // numpy reads as many elements as the header says, whatever follows.
    guard dataBytes >= count * type.byteCount else {
      throw file.refuse("\(name) has shape \(shape) of \(type.rawValue) and \(dataBytes) bytes")
    }
    var storage = Storage(key: name, type: type, count: count)
    place(&storage)
    return StoredTensor(storage: storage, offset: 0, shape: shape, strides: strides)
  }
}

extension ElementType {
  /// By numpy's type string; big-endian and compound types are not read.
  init?(numpy descriptor: String) {
    let order = descriptor.first.flatMap { "<|=>".contains($0) ? $0 : nil }
    switch (order == nil ? descriptor : String(descriptor.dropFirst()), order) {
    case ("i1", _): self = .int8
    case ("u1", _): self = .uint8
    case ("b1", _), ("?", _): self = .bool
    case (_, ">"?): return nil
    case ("f8", _): self = .float64
    case ("f4", _): self = .float32
    case ("f2", _): self = .float16
    case ("i8", _): self = .int64
    case ("i4", _): self = .int32
    case ("i2", _): self = .int16
    default: return nil
    }
  }
}

/// The few forms of Python literals that a `.npy` header has.
private struct PythonLiteral {
  enum Value {
    case text(String)
    case flag(Bool)
    case integers([Int])
    /// A list or tuple of other things, as structured types have.
    case other
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// `{'key': value, ...}` and nothing behind it; nil where it is anything else.
  mutating func dictionary() -> [String: Value]? {
    var fields: [String: Value] = [:]
    guard take("{") else { return nil }
    while !take("}") {
      guard let key = quoted(), take(":"), let value = value(), fields.updateValue(value, forKey: key) == nil else {
        return nil
      }
      guard take(",") || peek() == UInt8(ascii: "}") else { return nil }
    }
    return peek() == nil ? fields : nil
  }

  private mutating func value() -> Value? {
    if let text = quoted() { return .text(text) }
    if word("True") { return .flag(true) }
    if word("False") { return .flag(false) }
    let beginning = rest
    if let integers = integers() { return .integers(integers) }
    rest = beginning
    return skip() ? .other : nil
  }

  /// `(1, 2)`; Python 2 wrote `(1L, 2L)`.
  private mutating func integers() -> [Int]? {
    guard take("(") else { return nil }
    var integers: [Int] = []
    while !take(")") {
      guard integers.count < 32, let integer = integer() else { return nil }
      integers.append(integer)
      guard take(",") || peek() == UInt8(ascii: ")") else { return nil }
    }
    return integers
  }

  /// Passes over a list or tuple, whatever it holds.
  private mutating func skip() -> Bool {
    var open = 0
    repeat {
      if take("[") || take("(") {
        open += 1
      } else if take("]") || take(")") {
        open -= 1
      } else if quoted() == nil, integer() == nil, !take(","), !word("None"), !word("True"), !word("False") {
        return false
      }
    } while open > 0
    return open == 0
  }

  /// The next byte that is no white space.
  private mutating func peek() -> UInt8? {
    while let byte = rest.first, byte == 0x20 || (9...13).contains(byte) { rest.removeFirst() }
    return rest.first
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
  }

  private mutating func word(_ text: String) -> Bool {
    _ = peek()
    guard rest.starts(with: text.utf8) else { return false }
    rest.removeFirst(text.utf8.count)
    return true
  }

  /// `'text'`, also as `u'text'` and `b'text'`.
  private mutating func quoted() -> String? {
    if let first = peek(), first == UInt8(ascii: "u") || first == UInt8(ascii: "b"),
      let next = rest.dropFirst().first, next == UInt8(ascii: "'") || next == UInt8(ascii: "\"")
    {
      rest.removeFirst()
    }
    guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else { return nil }
    guard let end = rest.dropFirst().firstIndex(of: quote) else { return nil }
    let text = rest[(rest.startIndex + 1)..<end]
    guard text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
    rest = rest[(end + 1)...]
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func integer() -> Int? {
    _ = peek()
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    rest = rest[digits.endIndex...]
    guard !digits.isEmpty else { return nil }
    if let suffix = rest.first, suffix == UInt8(ascii: "L") || suffix == UInt8(ascii: "l") { rest.removeFirst() }
    return Int(String(decoding: digits, as: UTF8.self))
  }
}
