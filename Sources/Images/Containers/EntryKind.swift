import Files

/// What a file among images is: read, refused, or left out and counted.
///
/// A sidecar is known by its name (`Sidecar`), an image that is read by its suffix or its content, everything else by both.
enum EntryKind: Equatable {
  /// An image that is read; its content says which format it has.
  case image
  /// A picture in a format that is not read, in words with the article.
  case foreignPicture(String)
  /// An archive or a table that may hold images itself, in words with the article.
  case archive(String)
  /// No picture: why it does not count.
  case leftOut(String)

  /// How many bytes of a file's beginning are looked at.
  static let neededBytes = FileGuess.neededBytes

  /// - Parameters:
  ///   - name: the path inside the folder or archive.
  ///   - rules: which pictures are read.
  ///   - beginning: gives the first `neededBytes` bytes; called only where the name does not decide.
  init(name: ByteName, _ rules: PictureRules, beginning: () throws -> [UInt8]) rethrows {
    let suffix = name.pathExtension
    if rules.suffixes.contains(suffix) {
      self = .image
      return
    }
    self.init(suffix: suffix, rules, beginning: try beginning())
  }

  /// - Parameters:
  ///   - suffix: what stands behind the last dot of the name, in lower case.
  ///   - rules: which pictures are read.
  ///   - beginning: the first `neededBytes` bytes, or all there are.
  init(suffix: String, _ rules: PictureRules, beginning: [UInt8]) {
    if rules.reads(beginning) {
      self = .image
    } else if let picture = ForeignPicture.kind(suffix: suffix, beginning: beginning) {
      self = .foreignPicture(picture)
    } else if let archive = Self.archive(suffix: suffix, beginning: beginning) {
      self = .archive(archive)
    } else if beginning.isEmpty {
      self = .leftOut("empty file")
    } else if Self.isText(beginning) {
      self = .leftOut("text")
    } else {
      self = .leftOut(suffix == "npy" ? "numpy array" : "other file")
    }
  }

  /// Suffixes of files that hold many images or arrays of them.
  private static let archiveSuffixes: [String: String] = [
    "zip": "a zip archive", "tar": "a tar archive", "npz": "an npz of numpy arrays", "h5": "an HDF5 file",
    "hdf5": "an HDF5 file", "tgz": "a compressed tar archive", "tbz2": "a compressed tar archive",
    "txz": "a compressed tar archive", "7z": "a 7z archive", "rar": "a RAR archive", "parquet": "a Parquet table",
    "tfrecord": "a file of TensorFlow records", "arrow": "an Arrow table", "mdb": "an LMDB database",
    "lmdb": "an LMDB database", "cbz": "a zip archive", "gz": "a gzip-compressed file",
    "bz2": "a bzip2-compressed file",
    "xz": "an xz-compressed file", "zst": "a zstd-compressed file", "lz4": "an lz4-compressed file",
    "lzma": "an lzma-compressed file", "tbz": "a compressed tar archive", "tlz": "a compressed tar archive",
    "tzst": "a compressed tar archive",
  ]

  private static func archive(suffix: String, beginning: [UInt8]) -> String? {
    if let kind = archiveSuffixes[suffix] { return kind }
    if TarReader.matches(beginning) { return "a tar archive" }
    return FileSignature(beginning).flatMap { $0.category == .archive ? $0.kind : nil }
  }

  private static func isText(_ beginning: [UInt8]) -> Bool {
    !beginning.contains { ($0 < 0x20 && !(9...13).contains($0)) || $0 == 0x7F }
  }
}
