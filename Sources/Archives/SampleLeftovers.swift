import Diagnostics
import Files
import Foundation

/// What runs that were cut short have left beside an archive: parts of it or of its shards, and what was noted of shards.
enum SampleLeftovers {
  /// Removes the hidden folders of an archive that is complete, however it was cut. What another process holds is left to it.
  /// - Throws: a `Failure` naming what cannot be removed.
  static func remove(of archive: String) throws {
    let stem = ((archive as NSString).lastPathComponent as NSString).deletingPathExtension
    let folder = AtomicFile.folder(of: archive)
    for name in try ByteName.names(inFolder: folder).compactMap(\.text) where name.hasPrefix(".\(stem)") {
      let rest = name.dropFirst(stem.count + 1)
      if rest == ".shards" {
        try FolderTree.remove(folder + "/" + name)
      } else if rest == ".parts" || isShard(rest) {
        try SampleParts.remove(folder: folder + "/" + name)
      }
    }
  }

  /// Whether it is `-00000.parts`.
  private static func isShard(_ rest: Substring) -> Bool {
    guard rest.hasPrefix("-"), rest.hasSuffix(".parts") else { return false }
    let number = rest.dropFirst().dropLast(".parts".count)
    return number.utf8.count >= 5 && number.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }
}
