import Diagnostics
import Files
import Images

/// What a folder of images holds: one file for each image, or shards that hold many. Both at once are refused, and what is
/// neither is counted.
enum FolderOfImages {
  case images(StoredImages)
  /// The paths of the shards in the order of their names, and what stands beside them.
  case shards([String], LeftOut)

  /// The suffixes of files that may be shards.
  private static let shardSuffixes: Set<String> = ["tar", "h5", "zip", "npz"]

  /// - Throws: a `Failure` with status `dataError` where it holds no images, or images in more than one form.
  init(_ path: String) throws {
    let folder = try StoredImages.Folder(path)
    let shards = folder.archives.filter { Self.shardSuffixes.contains($0.pathExtension) }
    let kinds = Dictionary(grouping: shards.sorted(), by: \.pathExtension).compactMap { $0.value.first }.sorted()
    guard kinds.count <= 1 else {
      throw Failure(
        .dataError, path,
        "the folder holds shards of several kinds: \(kinds.map(\.description).joined(separator: ", ")); shards of one kind "
          + "are expected", remedy: "put each kind into a folder of its own, or take the others out")
    }
    // Shards lie flat; archives in other forms or places, and images beside them, are for `images()` to refuse.
    let isFlat = folder.archives.allSatisfy { $0 == $0.lastComponent }
    guard folder.imageCount == 0, !shards.isEmpty, shards.count == folder.archives.count, isFlat else {
      self = .images(try folder.images())
      return
    }
    let paths = try shards.sorted().map { name in
      guard let text = name.text else {
        throw Failure(
          .dataError, path + "/\(name)", "the name of a shard is expected to be UTF-8", remedy: "rename the file")
      }
      return path + "/" + text
    }
    self = .shards(paths, folder.leftOut)
  }
}
