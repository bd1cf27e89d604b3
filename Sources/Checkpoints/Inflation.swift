import CZlib
import Diagnostics

/// Expands deflated zip entries block by block, and never beyond what they declare.
enum Inflation {
  /// The most that deflate can expand: 258 bytes from two bits.
  static let largestRatio = 1032

  /// Calls `body` with the expanded content of an entry, block by block.
  /// - Throws: `dataError` where the data are damaged or their real size is not the declared one.
  static func forEachBlock(
    of entry: ZipDirectory.Entry, in file: CheckpointFile, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let damaged = file.refuse("the compressed zip entry \(entry.name) is damaged", remedy: "fetch the file again")
    var stream = z_stream()
    // Negative window bits: raw deflate, as zip has it.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw Failure(.unavailable, "zlib", "cannot start")
    }
    defer { inflateEnd(&stream) }
    var output = [UInt8](repeating: 0, count: 1 << 18)
    var expanded = 0
    var status = Z_OK
    try file.forEachBlock(of: entry.bytes, blockBytes: 1 << 18) { block in
      stream.next_in = UnsafeMutablePointer(mutating: block.bindMemory(to: UInt8.self).baseAddress)
      stream.avail_in = UInt32(block.count)
      repeat {
        guard status != Z_STREAM_END else { throw damaged }
        try output.withUnsafeMutableBytes { room in
          stream.next_out = room.bindMemory(to: UInt8.self).baseAddress
          stream.avail_out = UInt32(room.count)
          status = inflate(&stream, Z_NO_FLUSH)
          guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else { throw damaged }
          let count = room.count - Int(stream.avail_out)
          expanded += count
          guard expanded <= entry.size else {
            throw file.refuse("the zip entry \(entry.name) is longer than the \(entry.size) bytes that it declares")
          }
          try body(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
      } while stream.avail_in > 0 || stream.avail_out == 0
    }
    guard status == Z_STREAM_END, expanded == entry.size else { throw damaged }
  }

  /// The whole expanded content; call `CheckpointFile.verify(_:)` first, which finds out that the size is real.
  static func bytes(of entry: ZipDirectory.Entry, in file: CheckpointFile) throws -> [UInt8] {
    var result: [UInt8] = []
    try forEachBlock(of: entry, in: file) { block in
      if result.isEmpty { result.reserveCapacity(entry.size) }
      result.append(contentsOf: block)
    }
    return result
  }
}

extension Inflation {
  private struct Enough: Error {}

  /// The first bytes of an entry's content, at most `count`.
  static func beginning(of entry: ZipDirectory.Entry, in file: CheckpointFile, count: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    do {
      try forEachBlock(of: entry, in: file) { block in
        result.append(contentsOf: block.prefix(count - result.count))
        if result.count == count { throw Enough() }
      }
    } catch is Enough {}
    return result
  }
}
