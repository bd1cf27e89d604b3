import Diagnostics

/// Single values and the heads of constructions.
extension PickleMachine {
  func global(_ module: String, _ name: String) throws -> PickleGlobal {
    // Names are kept; texts, of which a pickle holds long ones once and names them often, are not names.
    guard module.utf8.count + name.utf8.count <= 512 else {
      throw refuse("a global with a name of more than 512 bytes")
    }
    if let known = PickleGlobal(module: module, name: name) { return known }
    throw refuse(
      "the pickle names \(module).\(name), which no checkpoint needs and which can run code; nothing was executed",
      remedy: "use a file from a source you trust")
  }

  /// LONG1 and LONG4: wider than 64 bits it is an opaque value.
  mutating func longInteger(_ count: Int) throws -> PickleValue {
    guard count <= 8 else {
      _ = try cursor.skip(count, what: "an integer")
      return try opaque("integer beyond 64 bits")
    }
    var bits: UInt64 = 0
    var last: UInt8 = 0
    for i in 0..<count {
      last = try cursor.byte()
      bits |= UInt64(last) << (8 * i)
    }
    if last & 0x80 != 0, count < 8 { bits |= ~UInt64(0) << (8 * count) }
    return .integer(Int(Int64(bitPattern: bits)))
  }

  /// A `str` of Python 2: text where it is UTF-8, else bytes.
  mutating func byteText(_ count: Int) throws -> PickleValue {
    let range = try cursor.skip(count, what: "a byte string")
    guard count <= 1 << 16, let text = String(validating: try cursor.file.bytes(range), as: UTF8.self) else {
      return .bytes(range)
    }
    return .text(text)
  }

  /// REDUCE.
  mutating func call(_ head: PickleValue, _ arguments: [PickleValue]) throws -> PickleValue {
    switch head {
    case .global(let global): return try reduce(global, arguments)
    // What a foreign name made, such as a partial function.
    case .opaque: return head
    default: throw refuse("a construction that does not begin with a name")
    }
  }

  /// NEWOBJ and its like.
  mutating func instantiate(_ head: PickleValue, _ arguments: [PickleValue]) throws -> PickleValue {
    switch head {
    case .global(let global): return try newObject(global, arguments)
    case .opaque: return head
    default: throw refuse("a construction that does not begin with a name")
    }
  }
}
