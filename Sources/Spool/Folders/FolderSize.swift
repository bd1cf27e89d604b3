/// What stands in a folder.
package enum FolderSize {
  /// The plain files anywhere beneath a folder.
  package static func files(_ folder: String) -> [String] {
    let files = DiskFileSystem()
    return ((try? files.names(in: folder)) ?? []).flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      switch (try? files.entry(path))??.kind {
      case .folder: return self.files(path)
      case .file: return [path]
      default: return []
      }
    }
  }

  /// The bytes that they have.
  package static func bytes(_ folder: String) -> Int {
    files(folder).reduce(0) { $0 + ((try? DiskFileSystem().entry($1))??.size ?? 0) }
  }
}
