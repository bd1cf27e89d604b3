import Files

/// What a file among images is: read, refused, or left out and counted.
///
/// A sidecar is known by its name, an image that is read by its suffix or its content, everything else by both.
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
  ///   - beginning: gives the first `neededBytes` bytes; called only where the name does not decide.
  init(name: ByteName, beginning: () throws -> [UInt8]) rethrows {
    if let reason = Sidecar.reason(name) {
      self = .leftOut(reason)
      return
    }
    let suffix = name.pathExtension
    if ImageDecoder.suffixes.contains(suffix) {
      self = .image
      return
    }
    self.init(suffix: suffix, beginning: try beginning())
  }

  /// - Parameters:
  ///   - suffix: what stands behind the last dot of the name, in lower case.
  ///   - beginning: the first `neededBytes` bytes, or all there are.
  init(suffix: String, beginning: [UInt8]) {
    if ImageDecoder.matches(beginning) {
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
    "lmdb": "an LMDB database", "cbz": "a zip archive",
  ]

  private static func archive(suffix: String, beginning: [UInt8]) -> String? {
    if let kind = archiveSuffixes[suffix] { return kind }
    let hasTarHeader = TarReader.matches(beginning)
    if hasTarHeader { return "a tar archive" }
    let signatures: [([UInt8], String)] = [
      ([0x50, 0x4B, 3, 4], "a zip archive"), ([0x50, 0x4B, 5, 6], "an empty zip archive"),
      ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "an HDF5 file"), ([0x1F, 0x8B], "a gzip-compressed file"),
      ([0x42, 0x5A, 0x68, 0x31], "a bzip2-compressed file"), ([0x42, 0x5A, 0x68, 0x39], "a bzip2-compressed file"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz-compressed file"), ([0x28, 0xB5, 0x2F, 0xFD], "a zstd-compressed file"),
      ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive"), (Array("Rar!".utf8), "a RAR archive"),
      (Array("PAR1".utf8), "a Parquet table"), (Array("ARROW1".utf8), "an Arrow table"),
    ]
    return signatures.first { beginning.starts(with: $0.0) }?.1
  }

  private static func isText(_ beginning: [UInt8]) -> Bool {
    !beginning.contains { ($0 < 0x20 && !(9...13).contains($0)) || $0 == 0x7F }
  }
}

/// Files that systems and tools leave beside what a person put there.
enum Sidecar {
  /// - Parameter name: the path inside the folder or archive.
  /// - Returns: what it is in words; nil for a file of a person's.
  static func reason(_ name: ByteName) -> String? {
    let components = name.bytes.split(separator: UInt8(ascii: "/")).filter { $0 != [UInt8(ascii: ".")] }
    guard let last = components.last else { return nil }
    if components.contains(where: { $0.elementsEqual("__MACOSX".utf8) }) || last.starts(with: "._".utf8)
      || last.elementsEqual(".DS_Store".utf8) || last.elementsEqual("Icon\r".utf8)
    {
      return "macOS sidecar"
    }
    let lower = String(decoding: last, as: UTF8.self).lowercased()
    if ["thumbs.db", "ehthumbs.db", "desktop.ini"].contains(lower) { return "Windows sidecar" }
    if components.contains(where: { $0.elementsEqual("@eaDir".utf8) }) { return "Synology sidecar" }
    let isHidden = components.contains { $0.first == UInt8(ascii: ".") && !$0.elementsEqual("..".utf8) }
    if isHidden { return "hidden file" }
    return components.count == 1 && last.elementsEqual("dataset.json".utf8) ? "table of labels" : nil
  }
}
