import Diagnostics

/// What stands in a folder.
package enum FolderSize {
  /// The plain files anywhere beneath a folder, whatever their names, with their bytes. What goes away meanwhile counts for
  /// nothing.
  /// - Throws: a `Failure` where something cannot be looked at now: a part is not the whole.
  package static func entries(_ folder: String) throws -> [(path: ByteName, bytes: Int)] {
    try entries(ByteName(folder))
  }

  /// The paths of those whose paths are text.
  package static func files(_ folder: String) throws -> [String] { try entries(folder).compactMap(\.path.text) }

  /// The bytes that they have.
  package static func bytes(_ folder: String) throws -> Int { try entries(folder).reduce(0) { $0 + $1.bytes } }

  private static func entries(_ folder: ByteName) throws -> [(path: ByteName, bytes: Int)] {
    let names: [ByteName]
    do {
      names = try DiskFileSystem().rawNames(in: folder)
    } catch let failure as Failure where failure.status == .noInput {
      return []
    }
    return try names.flatMap { name -> [(path: ByteName, bytes: Int)] in
      let path = ByteName(folder.bytes + [UInt8(ascii: "/")] + name.bytes)
      guard let entry = try DiskFileSystem().entry(path) else { return [] }
      switch entry.kind {
      case .folder: return try entries(path)
      case .file: return [(path, entry.size)]
      case .other: return []
      }
    }
  }
}
