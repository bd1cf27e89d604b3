import Diagnostics

/// What stands under a name.
package struct FileEntry: Sendable, Equatable {
  package enum Kind: Sendable { case file, folder, other }
  package let kind: Kind
  /// Of a file, in bytes.
  package let size: Int
  /// When its content last changed, in nanoseconds.
  package let modified: Int64
  /// The user it belongs to.
  package let owner: UInt32
  /// How many names it has.
  package let links: Int
  /// Which file of its disk it is, whatever it is called.
  package let inode: UInt64

  package init(kind: Kind, size: Int, modified: Int64, owner: UInt32 = 0, links: Int = 1, inode: UInt64 = 0) {
    self.kind = kind
    self.size = size
    self.modified = modified
    self.owner = owner
    self.links = links
    self.inode = inode
  }
}

/// The few operations on files that the spool's states are made of.
///
/// `DiskFileSystem` is the real one; the tests have a twin that crashes after any operation and forgets what was not
/// flushed. Every operation throws a `Failure` that names the path.
package protocol FileSystem {
  /// The names in a folder, sorted.
  func names(in folder: String) throws -> [String]
  /// What stands at a path, symbolic links not followed; nil where nothing does.
  func entry(_ path: String) throws -> FileEntry?
  /// Creates a folder; one that exists is left as it is.
  func createFolder(_ path: String) throws
  /// The content of a plain file of at most `limitBytes`; a link, a pipe or a device is not opened.
  func read(_ path: String, limitBytes: Int) throws -> [UInt8]
  /// Whether the permissions of a file let it be read.
  func isReadable(_ path: String) -> Bool
  /// Creates or replaces a file and flushes its content, unless `synchronizeAll` will.
  func write(_ path: String, _ bytes: [UInt8], isFlushed: Bool) throws
  /// Renames; what stands under the new name is replaced if it is a file.
  func rename(_ path: String, to newPath: String) throws
  /// Removes a file.
  func remove(_ path: String) throws
  /// Removes an empty folder.
  func removeFolder(_ path: String) throws
  /// Removes a folder with everything in it, whatever its name; links are removed, not followed.
  func removeTree(_ folder: String) throws
  /// Flushes a folder's entries.
  func synchronize(_ folder: String) throws
  /// Flushes everything that stands on the same disk as a folder: cheaper than one by one where there is much.
  func synchronizeAll(_ folder: String) throws
}

extension FileSystem {
  /// Creates or replaces a file and flushes its content.
  package func write(_ path: String, _ bytes: [UInt8]) throws { try write(path, bytes, isFlushed: true) }

  /// The same for names that are text.
  package func removeTree(_ folder: String) throws {
    for name in try names(in: folder) {
      let path = "\(folder)/\(name)"
      if try entry(path)?.kind == .folder { try removeTree(path) } else { try remove(path) }
    }
    try removeFolder(folder)
  }

  /// Replaces a file so that it has the old content or the new at every moment.
  package func publish(_ name: String, in folder: String, _ bytes: [UInt8]) throws {
    let temporary = "\(folder)/\(AtomicFile.temporary(of: name))"
    do {
      try write(temporary, bytes)
      try rename(temporary, to: "\(folder)/\(name)")
    } catch {
      // What a crash leaves in its place is overwritten the next time.
      try? remove(temporary)
      throw error
    }
    try synchronize(folder)
  }
}
