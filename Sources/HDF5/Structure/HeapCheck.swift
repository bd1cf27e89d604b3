/// Checks a fractal heap, where the links and attributes of large groups are kept.
struct FractalHeapCheck {
  /// Bytes of an object's identifier.
  let identifierBytes: Int
  private let check: StructureCheck
  private let offsetBytes: Int
  private let lengthBytes: Int
  private let blockHead: Int
  private let largestObject: Int
  private let hasChecksums: Bool
  private let managedBytes: UInt64
  /// Large objects by their numbers.
  private var huge: [UInt64: (address: UInt64, length: Int)] = [:]
  /// The blocks: where they begin in the heap, their sizes, where they lie in the file.
  private var blocks: [(offset: UInt64, size: Int, address: UInt64)] = []

  init(_ check: StructureCheck, address: UInt64) throws {
    self.check = check
    var fields = try check.file.fields(address, 146, "a fractal heap")
    try fields.expect("FRHP")
    try check.file.verifyChecksum(address, 142, "a fractal heap")
    try fields.require(try fields.byte() == 0, "has another version than 0")
    identifierBytes = try fields.small(2)
    try fields.require(try fields.number(2) == 0, "is filtered")
    let flags = try fields.byte()
    largestObject = try fields.small(4)
    _ = try fields.number(8)
    let hugeObjects = try fields.address()
    _ = try fields.take(8 * 2)
    managedBytes = try fields.number(8)
    _ = try fields.take(8 * 2)
    let managed = try fields.number(8)
    _ = try fields.number(8)
    let hugeCount = try fields.number(8)
    try fields.require(try fields.number(8) == 0 && fields.number(8) == 0, "has tiny objects")
    let width = try fields.small(2)
    let startSize = try fields.small(8)
    let directSize = try fields.small(8)
    let heapBits = try fields.small(2)
    let startRows = try fields.small(2)
    let root = try fields.address()
    let rows = try fields.small(2)
    func isPower(_ value: Int, upTo limit: Int) -> Bool { value > 0 && value <= limit && value & (value - 1) == 0 }
    try fields.require(
      isPower(width, upTo: 64) && isPower(startSize, upTo: 1 << 20) && isPower(directSize, upTo: 1 << 24)
        && startSize <= directSize && (8...64).contains(heapBits) && startRows <= 64 && flags & ~2 == 0
        && largestObject > 0 && largestObject <= directSize && managed < 1 << 32, "has impossible dimensions")
    offsetBytes = (heapBits + 7) / 8
    // As libhdf5 counts: the smaller of what a direct block and the largest object need.
    func bytes(_ limit: Int) -> Int { (Int.bitWidth - limit.leadingZeroBitCount - 1) / 8 + 1 }
    lengthBytes = min(bytes(directSize), bytes(largestObject))
    hasChecksums = flags & 2 != 0
    blockHead = 5 + 8 + offsetBytes + (flags & 2 != 0 ? 4 : 0)
    try fields.require(
      identifierBytes >= 1 + offsetBytes + lengthBytes && identifierBytes <= 64,
      "has identifiers of \(identifierBytes) bytes")
    try addHugeObjects(hugeObjects, count: hugeCount)
    guard root != undefinedAddress else { return }
    if rows == 0 {
      try add(root, offset: 0, size: startSize, heap: address)
      return
    }
    let directRows = (directSize / startSize).trailingZeroBitCount + 2
    try fields.require(rows <= directRows, "has blocks of blocks of blocks")
    var table = try check.file.fields(root, 5 + 8 + offsetBytes + rows * width * 8 + 4, "a heap's table of blocks")
    try table.expect("FHIB")
    try check.file.verifyChecksum(root, 5 + 8 + offsetBytes + rows * width * 8, "a heap's table of blocks")
    try table.require(
      try table.byte() == 0 && table.address() == address && table.number(min(offsetBytes, 8)) == 0,
      "is of another heap")
    var offset: UInt64 = 0
    for row in 0..<rows {
      let size = startSize << max(0, row - 1)
      for _ in 0..<width {
        let block = try table.address()
        if block != undefinedAddress { try add(block, offset: offset, size: size, heap: address) }
        offset += UInt64(size)
      }
    }
  }

  private mutating func add(_ address: UInt64, offset: UInt64, size: Int, heap: UInt64) throws {
    try check.step()
    var fields = try check.file.fields(address, size, "a heap's block")
    try fields.expect("FHDB")
    try fields.require(
      try fields.byte() == 0 && fields.address() == heap && fields.number(offsetBytes) == offset, "is of another heap")
    if hasChecksums {
      // It stands inside the block, and counts as zero.
      var whole = try Array(check.file.fields(address, size, "a heap's block").rest)
      let place = blockHead - 4
      whole.replaceSubrange(place..<blockHead, with: [0, 0, 0, 0])
      try fields.require(
        try UInt32(fields.number(4)) == Checksum.of(whole[...]), "has a wrong checksum")
    }
    blocks.append((offset, size, address))
  }

  /// Objects too large for a block stand in the file by themselves, and an index finds them.
  private mutating func addHugeObjects(_ index: UInt64, count: UInt64) throws {
    guard index != undefinedAddress else {
      guard count == 0 else { throw check.file.refuse("a heap has \(count) large objects and no index") }
      return
    }
    let tree = try BTreeCheck(check, address: index, type: 1, identifierBytes: identifierBytes)
    var found: [UInt64: (address: UInt64, length: Int)] = [:]
    try tree.forEachRecord { record in
      var fields = FieldReader(record, file: check.file, what: "a large object's record")
      let place = (address: try fields.address(), length: try fields.small(8))
      _ = try check.file.fields(place.address, place.length, "a large object")
      try fields.require(found.updateValue(place, forKey: try fields.number(8)) == nil, "stands twice")
    }
    guard tree.total == count else {
      throw check.file.refuse("a heap has \(count) large objects, its index \(tree.total)")
    }
    huge = found
  }

  /// The bytes of an object.
  func object(_ identifier: ArraySlice<UInt8>) throws -> FieldReader {
    var fields = FieldReader(identifier, file: check.file, what: "a heap's identifier")
    let kind = try fields.byte()
    if kind == 0x10, let place = huge[try fields.number(min(8, fields.remaining))] {
      return try check.file.fields(place.address, place.length, "a large object")
    }
    try fields.require(kind == 0, "is of an object that is not in the heap")
    let offset = try fields.number(offsetBytes)
    let length = try fields.small(lengthBytes)
    let block = blocks.last { $0.offset <= offset && offset - $0.offset < UInt64($0.size) }
    guard let block else { throw fields.refuse("points outside the heap") }
    let start = Int(offset - block.offset)
    try fields.require(
      start >= blockHead && (1...largestObject).contains(length) && length <= block.size - start
        && offset + UInt64(length) <= managedBytes, "points outside its block")
    return try check.file.fields(block.address + UInt64(start), length, "a heap's object")
  }
}

/// Checks an index of a heap's objects: a B-tree of version 2.
struct BTreeCheck {
  private let check: StructureCheck
  private let nodeBytes: Int, recordBytes: Int, identifierBytes: Int
  private let depth: Int, root: UInt64, rootRecords: Int
  /// Records of all nodes.
  let total: UInt64
  private let type: Int

  init(_ check: StructureCheck, address: UInt64, type: Int, identifierBytes: Int) throws {
    (self.check, self.type, self.identifierBytes) = (check, type, identifierBytes)
    var fields = try check.file.fields(address, 38, "a B-tree")
    try fields.expect("BTHD")
    try check.file.verifyChecksum(address, 34, "a B-tree")
    try fields.require(try fields.byte() == 0 && fields.byte() == UInt8(type), "is of another kind")
    nodeBytes = try fields.small(4)
    recordBytes = try fields.small(2)
    depth = try fields.small(2)
    let splitPercent = try fields.small(1)
    let mergePercent = try fields.small(1)
    root = try fields.address()
    rootRecords = try fields.small(2)
    total = try fields.number(8)
    let expected = [
      1: 24, 5: 4 + identifierBytes, 6: 8 + identifierBytes, 8: identifierBytes + 9, 9: identifierBytes + 5,
    ]
    try fields.require(
      recordBytes == expected[type] && (512...1 << 16).contains(nodeBytes) && depth <= 4
        && (1...100).contains(splitPercent) && (1..<50).contains(mergePercent) && mergePercent < splitPercent,
      "has impossible dimensions")
    try fields.require(
      (root == undefinedAddress) == (total == 0) && (total > 0 || (depth == 0 && rootRecords == 0))
        && total < 1 << 24, "has no root, or too many records")
  }

  /// Calls `body` with the heap identifier of every record.
  func forEachIdentifier(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
    // By name the hash stands first for links; for attributes the identifier does.
    let place = type == 5 ? 4 : type == 6 ? 8 : 0
    try forEachRecord { record in
      // The flags of an attribute's message: a shared one would stand in a heap of the whole file, which ours have not.
      if type >= 8, let flags = record.dropFirst(identifierBytes).first, flags & 2 != 0 {
        throw check.file.refuse("an attribute's record names a heap of shared messages")
      }
      try body(record.dropFirst(place).prefix(identifierBytes))
    }
  }

  /// Calls `body` with every record.
  func forEachRecord(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
    guard root != undefinedAddress else { return }
    let count = try visit(root, records: rootRecords, level: depth, body)
    guard UInt64(count) == total else { throw check.file.refuse("a B-tree declares \(total) records and has \(count)") }
  }

  /// The most records that a node holds, by level; 0 is a leaf.
  private func capacity(_ level: Int) -> Int {
    level == 0
      ? (nodeBytes - 10) / recordBytes : (nodeBytes - 10 - pointerBytes(level)) / (recordBytes + pointerBytes(level))
  }

  /// Bytes of a pointer to a child: its address, its records, and, unless it is a leaf, those below it.
  private func pointerBytes(_ level: Int) -> Int {
    8 + countBytes(capacity(0)) + (level > 1 ? countBytes(reach(level - 1)) : 0)
  }

  /// The most records in a node and all below it.
  private func reach(_ level: Int) -> Int {
    level == 0 ? capacity(0) : (capacity(level) + 1) * reach(level - 1) + capacity(level)
  }

  private func countBytes(_ limit: Int) -> Int { (Int.bitWidth - max(limit, 1).leadingZeroBitCount - 1) / 8 + 1 }

  private func visit(
    _ address: UInt64, records: Int, level: Int, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws -> Int {
    var fields = try check.file.fields(address, nodeBytes, "a node of a B-tree")
    try fields.expect(level == 0 ? "BTLF" : "BTIN")
    try fields.require(try fields.byte() == 0 && fields.byte() == UInt8(type), "is of another kind")
    try fields.require(records > 0 && records <= capacity(level), "has \(records) records")
    var count = 0
    for _ in 0..<records {
      try check.step()
      try body(try fields.take(recordBytes))
      count += 1
    }
    let nodePointers = level > 0 ? (records + 1) * pointerBytes(level) : 0
    try check.file.verifyChecksum(address, 6 + records * recordBytes + nodePointers, "a node of a B-tree")
    guard level > 0 else { return count }
    for _ in 0...records {
      let child = try fields.address()
      let childRecords = try fields.small(countBytes(capacity(0)))
      let below = level > 1 ? try fields.small(countBytes(reach(level - 1))) : childRecords
      let found = try visit(child, records: childRecords, level: level - 1, body)
      guard found == below else { throw check.file.refuse("a B-tree declares \(below) records and has \(found)") }
      count += found
    }
    return count
  }
}
