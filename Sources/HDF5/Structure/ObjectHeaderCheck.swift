import Diagnostics

/// Checks one object header of version 2 with all its messages.
struct ObjectHeaderCheck {
  private let check: StructureCheck
  private let address: UInt64
  private var extents: [UInt64]?
  private var type: ElementTypeCheck?
  private var layout: Layout?
  private var filters: [Int] = []

  private enum Layout {
    case contiguous(bytes: UInt64), compact(bytes: Int)
    case chunked(tree: UInt64, extents: [UInt64])
    case virtual(VirtualLayoutCheck)
  }

  init(_ check: StructureCheck, address: UInt64) { (self.check, self.address) = (check, address) }

  mutating func run() throws {
    var head = try check.file.fields(address, 6, "an object header")
    try head.expect("OHDR")
    try head.require(try head.byte() == 2, "has another version than 2")
    let flags = try head.byte()
    let width = 1 << Int(flags & 3)
    let optional = (flags & 0x20 != 0 ? 16 : 0) + (flags & 0x10 != 0 ? 4 : 0)
    var prefix = try check.file.fields(address + 6, optional + width, "an object header")
    _ = try prefix.take(optional)
    let size = try prefix.small(width)
    let start = address + 6 + UInt64(optional + width)
    var chunks: [(start: UInt64, size: Int)] = [(start, size)]
    try head.require(size <= 1 << 30, "is too long")
    try check.file.verifyChecksum(address, 6 + optional + width + size, "an object header")
    var read = 0
    while read < chunks.count {
      let chunk = chunks[read]
      read += 1
      guard read <= 256 else { throw check.file.refuse("the object header at byte \(address) has too many parts") }
      var fields = try check.file.fields(chunk.start, chunk.size, "an object header")
      let headBytes = flags & 4 != 0 ? 6 : 4
      while fields.remaining >= headBytes {
        try check.step()
        let kind = try fields.byte()
        let count = try fields.small(2)
        let messageFlags = try fields.byte()
        if headBytes == 6 { _ = try fields.number(2) }
        try fields.require(messageFlags & ~5 == 0, "has a shared or unknown message")
        var message = try fields.part(count, "message \(kind)")
        if kind == 0x10 {
          let next = try message.address()
          let length = try message.small(8)
          var part = try check.file.fields(next, length, "a part of an object header")
          try part.expect("OCHK")
          try part.require(length >= 8, "is too short")
          try check.file.verifyChecksum(next, length - 4, "a part of an object header")
          chunks.append((next + 4, length - 8))
        } else {
          try self.message(kind, &message)
        }
      }
    }
    try checkStorage()
  }

  private mutating func message(_ kind: UInt8, _ fields: inout FieldReader) throws {
    switch kind {
    case 0: break
    case 1:
      try fields.require(extents == nil, "is the second data space")
      extents = try Self.extents(&fields)
    case 2: try linkInfo(&fields)
    case 3:
      try fields.require(type == nil, "is the second type")
      type = try ElementTypeCheck(&fields)
    case 5: try fillValue(&fields)
    case 6: try link(&fields)
    case 8: try dataLayout(&fields)
    case 10:
      try fields.require(try fields.byte() == 0, "has another version than 0")
      let flags = try fields.byte()
      _ = try fields.take((flags & 1 != 0 ? 4 : 0) + (flags & 2 != 0 ? 4 : 0))
    case 11: try filterList(&fields)
    case 12: try attribute(&fields)
    case 18: _ = try fields.take(8)
    case 21: try attributeInfo(&fields)
    case 22: _ = try fields.take(5)
    default: throw fields.refuse("is of a kind that is not used")
    }
  }

  private static func extents(_ fields: inout FieldReader) throws -> [UInt64] {
    let version = try fields.byte()
    let rank = try fields.small(1)
    let flags = try fields.byte()
    try fields.require((1...2).contains(version) && rank <= 32 && flags <= 1, "is no data space of version 1 or 2")
    let kind = try fields.byte()
    if version == 1 { _ = try fields.number(4) } else { try fields.require(kind <= 2, "is of an unknown kind") }
    var extents: [UInt64] = []
    for _ in 0..<rank { extents.append(try fields.number(8)) }
    if flags & 1 != 0 { for extent in extents { try fields.require(try fields.number(8) >= extent, "shrinks") } }
    // No extent at all.
    return version == 2 && kind == 2 ? [0] : extents
  }

  private func linkInfo(_ fields: inout FieldReader) throws {
    try fields.require(try fields.byte() == 0, "has another version than 0")
    let flags = try fields.byte()
    try fields.require(flags <= 3, "has unknown flags")
    if flags & 1 != 0 { _ = try fields.number(8) }
    let heap = try fields.address()
    let names = try fields.address()
    let order = flags & 2 != 0 ? try fields.address() : undefinedAddress
    try dense(heap, [(names, 5), (order, 6)], fields) { object in try link(&object) }
  }

  private func attributeInfo(_ fields: inout FieldReader) throws {
    try fields.require(try fields.byte() == 0, "has another version than 0")
    let flags = try fields.byte()
    try fields.require(flags <= 3, "has unknown flags")
    if flags & 1 != 0 { _ = try fields.number(2) }
    let heap = try fields.address()
    let names = try fields.address()
    let order = flags & 2 != 0 ? try fields.address() : undefinedAddress
    try dense(heap, [(names, 8), (order, 9)], fields) { object in try attribute(&object) }
  }

  /// Messages that are kept in a heap and found by indices.
  private func dense(
    _ address: UInt64, _ indices: [(address: UInt64, type: Int)], _ fields: FieldReader,
    _ body: (inout FieldReader) throws -> Void
  ) throws {
    guard address != undefinedAddress else {
      return try fields.require(indices.allSatisfy { $0.address == undefinedAddress }, "has an index and no heap")
    }
    try fields.require(indices[0].address != undefinedAddress, "has a heap and no index")
    let heap = try FractalHeapCheck(check, address: address)
    var total: UInt64?
    for index in indices where index.address != undefinedAddress {
      let tree = try BTreeCheck(
        check, address: index.address, type: index.type, identifierBytes: heap.identifierBytes)
      try fields.require(total ?? tree.total == tree.total, "has indices of different lengths")
      total = tree.total
      try tree.forEachIdentifier { identifier in
        var object = try heap.object(identifier)
        try body(&object)
        try object.require(object.remaining == 0, "is longer than what it holds")
      }
    }
  }

  private func fillValue(_ fields: inout FieldReader) throws {
    let version = try fields.byte()
    try fields.require((2...3).contains(version), "is no fill value of version 2 or 3")
    let hasValue: Bool
    if version == 2 {
      _ = try fields.take(2)
      hasValue = try fields.byte() != 0
    } else {
      hasValue = try fields.byte() & 0x20 != 0
    }
    guard hasValue else { return }
    let size = try fields.small(4)
    try fields.require(size == 0 || size == type?.size, "has a value of \(size) bytes")
    _ = try fields.take(size)
  }

  private func link(_ fields: inout FieldReader) throws {
    try fields.require(try fields.byte() == 1, "is no link of version 1")
    let flags = try fields.byte()
    try fields.require(flags < 0x20, "has unknown flags")
    let kind = flags & 8 != 0 ? try fields.byte() : 0
    if flags & 4 != 0 { _ = try fields.number(8) }
    if flags & 0x10 != 0 { try fields.require(try fields.byte() <= 1, "has an unknown character set") }
    let length = try fields.small(1 << Int(flags & 3))
    try fields.require(length > 0 && length < 1 << 16, "has a name of \(length) bytes")
    let name = try fields.take(length)
    try fields.require(!name.contains(0), "has a name with a zero")
    switch kind {
    case 0: check.follow(try fields.address())
    // Refused when it is met.
    case 1, 64: _ = try fields.take(try fields.small(2))
    default: throw fields.refuse("is a link of an unknown kind")
    }
  }

  private mutating func dataLayout(_ fields: inout FieldReader) throws {
    try fields.require(layout == nil, "is the second layout")
    let version = try fields.byte()
    let kind = try fields.byte()
    if version == 4 && kind == 3 {
      layout = .virtual(try VirtualLayoutCheck(check, address: fields.address(), index: fields.small(4)))
      return
    }
    try fields.require(version == 3, "is stored in a way that is not used")
    switch kind {
    case 0:
      let size = try fields.small(2)
      _ = try fields.take(size)
      layout = .compact(bytes: size)
    case 1:
      let start = try fields.address()
      let size = try fields.number(8)
      if start != undefinedAddress {
        let end = start.addingReportingOverflow(size)
        try fields.require(!end.overflow && end.partialValue <= UInt64(check.file.size), "lies outside the file")
      }
      layout = .contiguous(bytes: size)
    case 2:
      let rank = try fields.small(1)
      try fields.require((2...33).contains(rank), "has chunks of \(rank) axes")
      let tree = try fields.address()
      layout = .chunked(tree: tree, extents: try (0..<rank).map { _ in try fields.number(4) })
    default: throw fields.refuse("is stored in a way that is not used")
    }
  }

  private mutating func filterList(_ fields: inout FieldReader) throws {
    try fields.require(try fields.byte() == 2, "is no list of filters of version 2")
    let count = try fields.small(1)
    try fields.require(count <= 8 && filters.isEmpty, "has \(count) filters")
    for _ in 0..<count {
      let filter = try fields.small(2)
      try fields.require((1...3).contains(filter), "has filter \(filter); deflate, shuffle and fletcher32 are known")
      _ = try fields.number(2)
      let values = try fields.small(2)
      try fields.require(values <= 8, "has a filter with \(values) values")
      _ = try fields.take(4 * values)
      filters.append(filter)
    }
  }

  private func attribute(_ fields: inout FieldReader) throws {
    try fields.require(try fields.byte() == 3 && fields.byte() == 0, "is no attribute of version 3")
    let nameBytes = try fields.small(2)
    let typeBytes = try fields.small(2)
    let spaceBytes = try fields.small(2)
    try fields.require(try fields.byte() <= 1, "has an unknown character set")
    let name = try fields.take(nameBytes)
    try fields.require(name.last == 0 && name.dropLast().allSatisfy { $0 != 0 } && nameBytes > 1, "has no proper name")
    var typeFields = try fields.part(typeBytes, "the type")
    let type = try ElementTypeCheck(&typeFields)
    var spaceFields = try fields.part(spaceBytes, "the data space")
    let extents = try Self.extents(&spaceFields)
    let count = try Self.count(extents, fields)
    try fields.require(count <= fields.remaining / type.size, "declares \(count) elements")
    guard type.isVariableString else {
      _ = try fields.take(count * type.size)
      return
    }
    for _ in 0..<count {
      let length = try fields.small(4)
      let heap = try fields.address()
      try check.checkString(heap, index: try fields.small(4), length: length)
    }
  }

  private static func count(_ extents: [UInt64], _ fields: FieldReader) throws -> Int {
    var count = 1
    for extent in extents {
      let product = count.multipliedReportingOverflow(by: Int(clamping: extent))
      try fields.require(!product.overflow, "declares an impossible shape")
      count = product.partialValue
    }
    return count
  }

  /// What only the messages together tell.
  private func checkStorage() throws {
    guard let layout else { return }
    let file = check.file
    guard let type, let extents else { throw file.refuse("the data set at byte \(address) has no type or shape") }
    guard !type.isVariableString else { throw file.refuse("the data set at byte \(address) holds strings") }
    switch layout {
    case .contiguous, .compact: break
    case .virtual(let layout): try layout.requireInside(extents)
    case .chunked(let tree, let chunk):
      guard chunk.count == extents.count + 1, chunk.last == UInt64(type.size), !chunk.contains(0) else {
        throw file.refuse("the data set at byte \(address) has chunks of \(chunk)")
      }
      var bytes: UInt64 = 1
      for extent in chunk {
        let product = bytes.multipliedReportingOverflow(by: extent)
        guard !product.overflow, product.partialValue < 1 << 32 else {
          throw file.refuse("the data set at byte \(address) has chunks of \(chunk)")
        }
        bytes = product.partialValue
      }
      guard tree != undefinedAddress else { return }
      try ChunkTreeCheck(
        check: check, chunk: chunk, extents: extents, chunkBytes: bytes, filters: filters
      ).run(tree, level: nil)
    }
  }
}
