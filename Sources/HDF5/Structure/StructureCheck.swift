import Diagnostics

/// Follows everything that libhdf5 can reach in a file of format version 1.8 and later, and refuses what it could stumble
/// over.
///
/// libhdf5 trusts lengths, counts and addresses inside a file once its checksum is right, and a checksum can be made right.
/// So before it opens a file, every object header, message, heap, index and string that is reachable has been compared
/// with its bounds here. Only constructions that this package writes are let through: fixed-point and IEEE numbers,
/// strings of variable length, contiguous, compact, chunked and virtual storage, hard links. (HDF5 File Format Specification 3.0.)
final class StructureCheck {
  let file: FileBytes
  /// Object headers that were begun; one that is linked twice is read once.
  private var visited: Set<UInt64> = []
  private var pending: [UInt64] = []
  private var collections: [UInt64: [Int: (start: UInt64, size: Int)]] = [:]
  private var budget = 2_000_000

  private init(_ file: FileBytes) { self.file = file }

  /// - Returns: whether the file has the structure of version 1.8; older ones have another, which is not checked.
  static func run(_ path: String) throws -> Bool {
    let file = try FileBytes(path)
    var fields = try file.fields(0, min(48, file.size), "the superblock")
    _ = try fields.take(8)
    let version = try fields.byte()
    guard version >= 2 else { return false }
    try fields.require(version <= 3, "has version \(version)")
    try fields.require(try fields.byte() == 8 && fields.byte() == 8, "has addresses of other than 8 bytes")
    _ = try fields.byte()
    try fields.require(try fields.address() == 0, "has a base address")
    try fields.require(try fields.address() == undefinedAddress, "has an extension")
    let end = try fields.address()
    try fields.require(end <= UInt64(file.size), "declares more bytes than the file has")
    try file.verifyChecksum(0, 44, "the superblock")
    file.end(at: end)
    let check = StructureCheck(file)
    check.follow(try fields.address())
    while let next = check.pending.popLast() {
      var header = ObjectHeaderCheck(check, address: next)
      try header.run()
    }
    return true
  }

  /// Has an object header checked, in its turn.
  func follow(_ address: UInt64) {
    if visited.insert(address).inserted { pending.append(address) }
  }

  /// Counts a step, so that no tangle of blocks keeps the check busy.
  func step() throws {
    budget -= 1
    guard budget > 0 else { throw file.refuse("it has more than 2,000,000 blocks and records") }
  }

  /// Checks a string of a global heap: address of the collection, index in it.
  func checkString(_ address: UInt64, index: Int, length: Int) throws {
    if length == 0 || address == 0 || address == undefinedAddress { return }
    guard let place = try globalObjects(address)[index], length <= place.size else {
      throw file.refuse("a string of \(length) bytes is not in the heap at byte \(address)")
    }
  }

  /// The bytes of an object of a global heap.
  func globalObject(_ address: UInt64, index: Int, _ what: String) throws -> FieldReader {
    guard let place = try globalObjects(address)[index] else {
      throw file.refuse("\(what) is not in the heap at byte \(address)")
    }
    return try file.fields(place.start, place.size, what)
  }

  private func globalObjects(_ address: UInt64) throws -> [Int: (start: UInt64, size: Int)] {
    if let known = collections[address] { return known }
    let objects = try collection(address)
    collections[address] = objects
    return objects
  }

  /// Places and sizes of the objects of a global heap collection.
  private func collection(_ address: UInt64) throws -> [Int: (start: UInt64, size: Int)] {
    var head = try file.fields(address, 16, "a global heap")
    try head.expect("GCOL")
    try head.require(try head.number(4) == 1, "has another version than 1")
    let size = try head.small(8)
    try head.require(size >= 4096 && size % 8 == 0, "has \(size) bytes")
    var fields = try file.fields(address, size, "a global heap")
    _ = try fields.take(16)
    var objects: [Int: (start: UInt64, size: Int)] = [:]
    while fields.remaining >= 16 {
      try step()
      let index = try fields.small(2)
      _ = try fields.take(6)
      let length = try fields.small(8)
      if index == 0 {
        try fields.require(length == fields.remaining + 16, "has free space of \(length) bytes")
        break
      }
      let place = (start: address + UInt64(size - fields.remaining), size: length)
      try fields.require(
        length <= fields.remaining && objects.updateValue(place, forKey: index) == nil, "is inconsistent")
      _ = try fields.take(min(fields.remaining, (length + 7) / 8 * 8))
    }
    return objects
  }
}
