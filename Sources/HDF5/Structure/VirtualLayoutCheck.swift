import Diagnostics

/// Checks where a virtual data set takes its rows from: bare file names, and selections of one box each.
///
/// The list lies in a global heap: version, number of entries, and for each file name, data set name, the selection there
/// and the selection here, then a checksum. (HDF5 File Format Specification 3.0, "Global Heap Block for Virtual Datasets".)
struct VirtualLayoutCheck {
  /// First and last element of each box in the virtual data set.
  private var boxes: [[ClosedRange<UInt64>]] = []
  private let file: FileBytes

  init(_ check: StructureCheck, address: UInt64, index: Int) throws {
    file = check.file
    let what = "the list of a virtual data set"
    var fields = try check.globalObject(address, index: index, what)
    let whole = fields
    try fields.require(fields.remaining >= 13, "is too short")
    try fields.require(try fields.byte() == 0, "has another version than 0")
    let count = try fields.small(8)
    try fields.require(count <= 1 << 20, "has \(count) entries")
    for _ in 0..<count {
      try check.step()
      let name = try Self.text(&fields)
      try fields.require(Self.isBare(name), "names a file outside the folder")
      try fields.require(try !Self.text(&fields).isEmpty, "names no data set")
      _ = try Self.box(&fields)
      guard let box = try Self.box(&fields) else { throw fields.refuse("maps to no rows") }
      boxes.append(box)
    }
    var covered = whole
    let bytes = try covered.take(whole.remaining - fields.remaining)
    try fields.require(
      try UInt32(fields.number(4)) == Checksum.of(bytes) && fields.remaining == 0, "has a wrong checksum")
  }

  /// Whether a name is that of a file in the same folder, and no pattern.
  static func isBare(_ name: some Sequence<UInt8>) -> Bool {
    let bytes = Array(name)
    return !bytes.isEmpty && bytes.count <= 255 && bytes[0] != UInt8(ascii: ".")
      && bytes.allSatisfy { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "%") && $0 >= 0x20 }
  }

  /// Compares the boxes with the shape.
  func requireInside(_ extents: [UInt64]) throws {
    for box in boxes where box.count != extents.count || zip(box, extents).contains(where: { $0.upperBound >= $1 }) {
      throw file.refuse("a virtual data set of shape \(extents) has a part outside of it")
    }
  }

  private static func text(_ fields: inout FieldReader) throws -> ArraySlice<UInt8> {
    let length = fields.rest.prefix(4096).prefix { $0 != 0 }.count
    let text = try fields.take(length)
    try fields.require(try fields.byte() == 0, "has a name that does not end")
    return text
  }

  /// One selection: nil for all of a data set, else its single box.
  private static func box(_ fields: inout FieldReader) throws -> [ClosedRange<UInt64>]? {
    let kind = try fields.small(4)
    let version = try fields.small(4)
    if kind == 3 {
      try fields.require(version == 1, "has a selection of version \(version)")
      _ = try fields.take(8)
      return nil
    }
    try fields.require(kind == 2 && (1...2).contains(version), "has a selection that is not used")
    if version == 2 { try fields.require(try fields.byte() == 1, "has an irregular selection") }
    if version == 1 { _ = try fields.take(4) }
    let length = try fields.small(4)
    let rank = try fields.small(4)
    try fields.require((1...8).contains(rank), "has a selection of \(rank) axes")
    try fields.require(length == (version == 1 ? 8 + 8 * rank : 4 + 32 * rank), "has a selection of another length")
    if version == 1 {
      try fields.require(try fields.number(4) == 1, "has a selection of several boxes")
      let first = try (0..<rank).map { _ in try fields.number(4) }
      let last = try (0..<rank).map { _ in try fields.number(4) }
      return try zip(first, last).map { try range($0, $1, fields) }
    }
    return try (0..<rank).map { _ in
      let (start, stride) = (try fields.number(8), try fields.number(8))
      let (count, block) = (try fields.number(8), try fields.number(8))
      // One block, or blocks that follow each other without a gap.
      try fields.require(stride > 0 && (count == 1 || stride == block), "has a selection with gaps")
      let (size, overflow) = count.multipliedReportingOverflow(by: block)
      try fields.require(!overflow && size > 0 && size < 1 << 48 && start < 1 << 48, "has an impossible selection")
      return start...start + size - 1
    }
  }

  private static func range(_ first: UInt64, _ last: UInt64, _ fields: FieldReader) throws -> ClosedRange<UInt64> {
    try fields.require(first <= last, "has a selection that runs backwards")
    return first...last
  }
}
