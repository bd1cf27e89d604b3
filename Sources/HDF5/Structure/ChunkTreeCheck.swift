import CZlib

/// Checks the index of a data set's chunks: a B-tree of version 1.
struct ChunkTreeCheck {
  let check: StructureCheck
  /// Extents of a chunk, the element's bytes last.
  let chunk: [UInt64]
  let extents: [UInt64]
  let chunkBytes: UInt64
  /// 1 deflate, 2 shuffle, 3 fletcher32.
  let filters: [Int]

  /// The most entries of a node, as this package's files have it.
  private static let capacity = 64

  func run(_ address: UInt64, level: Int?) throws {
    try check.step()
    let keyBytes = 8 + 8 * chunk.count
    let nodeBytes = 24 + Self.capacity * (keyBytes + 8) + keyBytes
    var fields = try check.file.fields(address, nodeBytes, "an index of chunks")
    try fields.expect("TREE")
    try fields.require(try fields.byte() == 1, "is of another kind")
    let found = try fields.small(1)
    let count = try fields.small(2)
    try fields.require(
      (level ?? found) == found && found <= 8 && (1...Self.capacity).contains(count), "is inconsistent")
    _ = try fields.take(16)
    for _ in 0..<count {
      try check.step()
      let bytes = try fields.number(4)
      let mask = try fields.number(4)
      for (axis, extent) in chunk.enumerated() {
        let place = try fields.number(8)
        try fields.require(
          axis == extents.count ? place == 0 : place % extent == 0 && place < max(extents[axis], 1),
          "has a chunk at an impossible place")
      }
      let child = try fields.address()
      if found > 0 {
        try run(child, level: found - 1)
        continue
      }
      try fields.require(mask == 0 && bytes > 0, "has a chunk of \(bytes) bytes")
      let end = child.addingReportingOverflow(bytes)
      try fields.require(!end.overflow && end.partialValue <= UInt64(check.file.size), "has a chunk outside the file")
      // libhdf5 takes it for granted that the filters give a whole chunk.
      let checksums = UInt64(4 * filters.count { $0 == 3 })
      let isWhole = filters.contains(1) ? try inflates(child, Int(bytes)) : bytes == chunkBytes + checksums
      try fields.require(isWhole, "has a chunk of \(bytes) bytes that does not make \(chunkBytes)")
    }
  }

  /// Whether a deflated chunk has the size of a chunk.
  private func inflates(_ address: UInt64, _ count: Int) throws -> Bool {
    var input = Array(try check.file.fields(address, count, "a chunk").rest)
    var output = [UInt8](repeating: 0, count: 1 << 16)
    var stream = z_stream()
    guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return false }
    defer { inflateEnd(&stream) }
    return input.withUnsafeMutableBufferPointer { source in
      (stream.next_in, stream.avail_in) = (source.baseAddress, UInt32(source.count))
      var status = Z_OK
      while status == Z_OK, stream.total_out <= chunkBytes {
        status = output.withUnsafeMutableBufferPointer { target in
          (stream.next_out, stream.avail_out) = (target.baseAddress, UInt32(target.count))
          return inflate(&stream, Z_NO_FLUSH)
        }
      }
      return status == Z_STREAM_END && stream.total_out == chunkBytes
    }
  }
}
