/// Reads JSON (RFC 8259) from bytes of anybody's, front to back: every method returns nil where something else stands there.
///
/// The records of steps that export a file for every image are long; the general parser takes seconds for one of them.
struct JSONReader {
  /// How deep objects and arrays may lie in each other.
  static let deepest = 64

  private let bytes: [UInt8]
  /// Bytes that were read.
  private(set) var position = 0
  private var depth = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Any value.
  mutating func value() -> JSONValue? {
    skipSpace()
    switch next {
    case UInt8(ascii: "{"):
      var fields: [String: JSONValue] = [:]
      let isObject = object { key, reader in
        guard let value = reader.value() else { return false }
        return fields.updateValue(value, forKey: key) == nil
      }
      return isObject ? .object(fields) : nil
    case UInt8(ascii: "["):
      var items: [JSONValue] = []
      let isArray = array { reader in
        guard let value = reader.value() else { return false }
        items.append(value)
        return true
      }
      return isArray ? .array(items) : nil
    case UInt8(ascii: "\""): return string().map { .string($0) }
    case UInt8(ascii: "t"): return take("true") ? .bool(true) : nil
    case UInt8(ascii: "f"): return take("false") ? .bool(false) : nil
    case UInt8(ascii: "n"): return take("null") ? .null : nil
    default: return number()
    }
  }

  /// An object, entry by entry.
  /// - Parameter entry: reads the value of a key; false ends the reading.
  mutating func object(_ entry: (_ key: String, _ reader: inout JSONReader) -> Bool) -> Bool {
    sequence(UInt8(ascii: "{"), UInt8(ascii: "}")) { reader in
      guard let key = reader.string() else { return false }
      reader.skipSpace()
      return reader.take(":") && entry(key, &reader)
    }
  }

  /// An array, item by item.
  /// - Parameter item: reads an item; false ends the reading.
  mutating func array(_ item: (_ reader: inout JSONReader) -> Bool) -> Bool {
    sequence(UInt8(ascii: "["), UInt8(ascii: "]"), item)
  }

  /// A string.
  mutating func string() -> String? {
    skipSpace()
    guard take("\"") else { return nil }
    let start = position
    // Most strings have nothing to be replaced.
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    var text = Array(bytes[start..<position])
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let scalar = escaped() else { return nil }
        text += Array(String(scalar).utf8)
      case 0..<0x20: return nil
      default: text.append(byte)
      }
    }
    return nil
  }

  /// Whether nothing but space is left.
  mutating func isAtEnd() -> Bool {
    skipSpace()
    return next == nil
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func take(_ text: StaticString) -> Bool {
    text.withUTF8Buffer { wanted in
      guard bytes.count - position >= wanted.count, bytes[position..<position + wanted.count].elementsEqual(wanted)
      else { return false }
      position += wanted.count
      return true
    }
  }

  private mutating func sequence(_ first: UInt8, _ last: UInt8, _ element: (inout JSONReader) -> Bool) -> Bool {
    skipSpace()
    guard next == first, depth < Self.deepest else { return false }
    position += 1
    depth += 1
    skipSpace()
    if next == last {
      position += 1
    } else {
      while true {
        guard element(&self) else { return false }
        skipSpace()
        let separator = next
        position += 1
        if separator == last { break }
        guard separator == UInt8(ascii: ",") else { return false }
      }
    }
    depth -= 1
    return true
  }

  /// What stands behind a backslash.
  private mutating func escaped() -> Unicode.Scalar? {
    guard let byte = next else { return nil }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      guard let unit = hexadecimal() else { return nil }
      guard (0xD800..<0xDC00).contains(unit) else { return Unicode.Scalar(unit) }
      guard take("\\u"), let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else { return nil }
      return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    default: return nil
    }
  }

  private mutating func hexadecimal() -> UInt32? {
    guard bytes.count - position >= 4 else { return nil }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
      value = value << 4 + UInt32(digit)
    }
    position += 4
    return value
  }

  /// A number: whole where it is written so and fits.
  private mutating func number() -> JSONValue? {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let whole = digits()
    guard whole > 0, whole == 1 || bytes[position - whole] != UInt8(ascii: "0") else { return nil }
    var isReal = false
    if next == UInt8(ascii: ".") {
      position += 1
      isReal = true
      guard digits() > 0 else { return nil }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      isReal = true
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      guard digits() > 0 else { return nil }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if !isReal, let value = Int(text) { return .int(value) }
    guard let value = Double(text), value.isFinite else { return nil }
    return .double(value)
  }

  private mutating func digits() -> Int {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    return position - start
  }
}
