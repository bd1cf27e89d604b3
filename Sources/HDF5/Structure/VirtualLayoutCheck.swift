import Diagnostics

/// Checks the list of sources of a virtual data set, which lies in a global heap. (HDF5 File Format Specification 3.0,
/// "Virtual Dataset layout", "Dataspace selection".)
struct VirtualLayoutCheck {
  let check: StructureCheck

  /// - Parameters:
  ///   - address: of the heap's collection.
  ///   - index: of the list in it.
  func run(_ address: UInt64, index: Int) throws {
    let (start, size) = try check.heapObject(address, index: index)
    var fields = try check.file.fields(start, size, "a list of virtual sources")
    try fields.require(size >= 13, "is too short")
    try check.file.verifyChecksum(start, size - 4, "a list of virtual sources")
    try fields.require(try fields.byte() == 0, "has another version than 0")
    let count = try fields.small(8)
    try fields.require(count <= 1 << 20, "has \(count) sources")
    for _ in 0..<count {
      try check.step()
      try name(&fields)
      try name(&fields)
      try selection(&fields)
      try selection(&fields)
    }
    try fields.require(fields.remaining == 4, "is longer than its sources")
  }

  /// A name that ends with a zero.
  private func name(_ fields: inout FieldReader) throws {
    var length = 0
    while try fields.byte() != 0 {
      length += 1
      try fields.require(length <= 4096, "has a name without an end")
    }
  }

  /// Everything, or one block: all that whole rows need.
  private func selection(_ fields: inout FieldReader) throws {
    let kind = try fields.small(4)
    let version = try fields.small(4)
    if kind == 3 {
      try fields.require(version == 1, "has a selection of version \(version)")
      _ = try fields.take(8)
      return
    }
    try fields.require(kind == 2, "selects otherwise than by blocks")
    switch version {
    case 1:
      _ = try fields.number(4)
      let length = try fields.small(4)
      let rank = try fields.small(4)
      try fields.require((1...8).contains(rank), "has \(rank) axes")
      try fields.require(try fields.small(4) == 1 && length == 8 + 8 * rank, "selects several blocks")
      let first = try (0..<rank).map { _ in try fields.number(4) }
      for start in first { try fields.require(try fields.number(4) >= start, "ends before it begins") }
    case 2:
      try fields.require(try fields.byte() == 1, "selects irregular blocks")
      let length = try fields.small(4)
      let rank = try fields.small(4)
      try fields.require((1...8).contains(rank) && length == 4 + 32 * rank, "has \(rank) axes")
      for _ in 0..<rank {
        let start = try fields.number(8)
        let (_, blocks) = (try fields.number(8), try fields.number(8))
        let end = start.addingReportingOverflow(try fields.number(8))
        try fields.require(blocks == 1 && !end.overflow && end.partialValue < 1 << 48, "selects several blocks")
      }
    default: throw fields.refuse("has a selection of version \(version)")
    }
  }
}
