/// Checks a type message: whole numbers and IEEE numbers of 1 to 8 bytes, and strings.
struct ElementTypeCheck {
  /// Bytes of an element.
  let size: Int
  /// Whether an element is a reference to a string in a global heap.
  let isVariableString: Bool

  init(_ fields: inout FieldReader) throws {
    let head = try fields.byte()
    let bits = try [fields.byte(), fields.byte(), fields.byte()]
    size = try fields.small(4)
    try fields.require((1...3).contains(head >> 4), "has version \(head >> 4)")
    switch head & 15 {
    case 0:
      isVariableString = false
      let (offset, precision) = (try fields.small(2), try fields.small(2))
      try fields.require(
        [1, 2, 4, 8].contains(size) && offset == 0 && precision == 8 * size && bits[0] & ~9 == 0 && bits[1] == 0,
        "is no whole number of 1 to 8 bytes")
    case 1:
      isVariableString = false
      let offset = try fields.small(2)
      let numbers = try [fields.small(2)] + (0..<4).map { _ in try fields.small(1) } + [fields.small(4)]
      // Precision, place and width of exponent and fraction, bias; and where the sign is.
      let known = [
        2: [16, 10, 5, 0, 10, 15], 4: [32, 23, 8, 0, 23, 127], 8: [64, 52, 11, 0, 52, 1023],
      ]
      try fields.require(
        known[size] == numbers && offset == 0 && bits[0] & ~1 == 0x20 && bits[1] == 8 * size - 1,
        "is no IEEE number of 2, 4 or 8 bytes")
    case 3:
      isVariableString = false
      try fields.require((1...1 << 20).contains(size) && bits[0] & 15 <= 2 && bits[0] >> 4 <= 1, "is no string")
    case 9:
      isVariableString = true
      try fields.require(size == 16 && bits[0] & 15 == 1, "is a list of variable length")
      let base = try ElementTypeCheck(&fields)
      try fields.require(base.size == 1 && !base.isVariableString, "is a string of other than bytes")
    default: throw fields.refuse("is a type that is not used")
    }
  }
}
