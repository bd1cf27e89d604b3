import Diagnostics
import Files

/// What stands behind the last entry of a tar archive: its end, two empty blocks; padding; and perhaps another archive, as
/// `cat` puts it there. Anything else is damage: the entries behind a header that was lost would be dropped unseen.
struct TarEnd {
  /// Where another archive begins.
  let nextArchive: Int?
  /// Whether the file ends without an empty block.
  let isMissing: Bool

  private static let blockBytes = 512

  /// - Parameters:
  ///   - path: the archive.
  ///   - end: the byte behind its last entry.
  /// - Throws: a `Failure` with status `dataError` naming the byte that belongs to nothing.
  init(of path: String, at end: Int) throws {
    let file = try InputFile(path, expected: "a tar archive")
    isMissing = end >= file.size
    var place = end
    while true {
      try Interruption.check()
      let blocks = try file.bytes(from: place, count: Self.blockBytes * 128)
      guard let byte = blocks.firstIndex(where: { $0 != 0 }) else {
        if blocks.count < Self.blockBytes * 128 { break }
        place += blocks.count
        continue
      }
      let start = place + byte / Self.blockBytes * Self.blockBytes
      guard TarReader.matches(Array(blocks.dropFirst(start - place).prefix(Self.blockBytes))) else {
        throw Failure(
          .dataError, path,
          "not an intact tar archive: what stands at byte \(place + byte), behind an empty block, belongs to no entry",
          remedy: "fetch the file again; if its entries end at byte \(end), cut it off there: head -c \(end)")
      }
      // One empty block is no end, but what is left of a header, or of an entry without content.
      guard start >= end + 2 * Self.blockBytes else {
        throw Failure(
          .dataError, path, "not an intact tar archive: the block at byte \(end) is empty, and entries follow it",
          remedy: "fetch the file again")
      }
      nextArchive = start
      return
    }
    nextArchive = nil
  }
}
