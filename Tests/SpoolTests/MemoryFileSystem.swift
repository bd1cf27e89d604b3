import Files
import Diagnostics
import Spool

/// A file system in memory that crashes after any operation one likes.
///
/// What a crash leaves is either everything that was done, or only what a flush of a folder has made durable since: names
/// are journaled in order, as on ext4, XFS and Btrfs.
final class MemoryFileSystem: FileSystem {
  /// The machine is down: thrown by the operation at which it crashes and by all after it.
  struct Crash: Error {}

  enum Node: Equatable {
    case folder
    case file([UInt8])
    case pipe
  }

  /// What a crash leaves.
  enum Memory: CaseIterable { case everything, flushed }

  private(set) var nodes: [String: Node] = ["": .folder]
  private var durable: [String: Node] = ["": .folder]
  /// Files whose content was not flushed: after a crash they are there and empty.
  private var unflushed: Set<String> = []
  private(set) var operations = 0
  var crashesAfter: Int?
  /// Calls of any kind, readings too.
  private(set) var calls = 0
  /// The one call that the system refuses, and what it says.
  var fault: (call: Int, status: ExitStatus)?
  /// Whether the fault was met.
  private(set) var isFaulty = false
  /// Which file a path leads to.
  private var inodes: [String: UInt64] = [:]
  private var lastInode: UInt64 = 0
  private(set) var isDown = false

  /// What stands there after the machine came up again.
  func restarted(_ memory: Memory) -> MemoryFileSystem {
    let files = MemoryFileSystem()
    files.nodes = memory == .everything ? nodes : durable
    files.durable = files.nodes
    (files.inodes, files.lastInode) = (inodes, lastInode)
    return files
  }

  /// Puts something there without counting it as an operation, flushed.
  func place(_ path: String, _ node: Node) {
    nodes[path] = node
    durable[path] = node
    create(path)
  }

  /// The paths directly in or anywhere beneath a folder.
  func paths(beneath folder: String) -> [String] { nodes.keys.filter { $0.hasPrefix(folder + "/") }.sorted() }

  private func create(_ path: String) {
    lastInode += 1
    inodes[path] = lastInode
  }

  /// Work that is not the daemon's: no fault befalls it.
  func withoutFaults<Result>(_ body: () throws -> Result) rethrows -> Result {
    let (calls, fault) = (calls, fault)
    self.fault = nil
    defer { (self.calls, self.fault) = (calls, fault) }
    return try body()
  }

  private func check(_ path: String) throws {
    if isDown { throw Crash() }
    calls += 1
    guard let fault, fault.call == calls else { return }
    isFaulty = true
    throw Failure(fault.status, path, "cannot be used: as the test wants it")
  }

  private func change(_ path: String, _ body: () throws -> Void) throws {
    try check(path)
    if operations == crashesAfter {
      isDown = true
      throw Crash()
    }
    operations += 1
    try body()
  }

  private func parent(_ path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
  }

  private func require(_ path: String) throws -> Node {
    guard let node = nodes[path] else { throw Failure(.noInput, path, "does not exist") }
    return node
  }

  func names(in folder: String) throws -> [String] {
    try check(folder)
    guard try require(folder) == .folder else { throw Failure(.noInput, folder, "is no folder") }
    return nodes.keys.filter { $0.hasPrefix(folder + "/") && parent($0) == folder }
      .map { String($0.dropFirst(folder.count + 1)) }.sorted()
  }

  func entry(_ path: String) throws -> FileEntry? {
    try check(path)
    switch nodes[path] {
    case nil: return nil
    case .folder: return FileEntry(kind: .folder, size: 0, modified: 0)
    case .pipe: return FileEntry(kind: .other, size: 0, modified: 0)
    case .file(let bytes):
      return FileEntry(kind: .file, size: bytes.count, modified: 0, inode: inodes[path] ?? 0)
    }
  }

  func createFolder(_ path: String) throws {
    try change(path) {
      _ = try require(parent(path))
      nodes[path] = nodes[path] ?? .folder
    }
  }

  func isReadable(_ path: String) -> Bool { true }

  func read(_ path: String, limitBytes: Int) throws -> [UInt8] {
    try check(path)
    guard case .file(let bytes) = try require(path) else { throw Failure(.dataError, path, "is not a plain file") }
    guard bytes.count <= limitBytes else {
      throw Failure(.dataError, path, "is \(bytes.count) bytes; the limit is \(limitBytes)")
    }
    return bytes
  }

  func write(_ path: String, _ bytes: [UInt8], isFlushed: Bool) throws {
    if isDown { throw Crash() }
    do {
      try change(path) {
        _ = try require(parent(path))
        nodes[path] = .file(bytes)
        create(path)
        if isFlushed { unflushed.remove(path) } else { unflushed.insert(path) }
      }
    } catch {
      // It was opened, which takes the old content away, and nothing was written.
      if nodes[parent(path)] == .folder { nodes[path] = .file([]) }
      throw error
    }
  }

  func rename(_ path: String, to newPath: String) throws {
    try change(path) {
      _ = try require(path)
      _ = try require(parent(newPath))
      if nodes[newPath] == .folder { throw Failure(.ioError, newPath, "exists already") }
      for (old, node) in nodes where old == path || old.hasPrefix(path + "/") {
        nodes[old] = nil
        let new = newPath + old.dropFirst(path.count)
        nodes[new] = node
        inodes[new] = inodes.removeValue(forKey: old)
        if unflushed.remove(old) != nil { unflushed.insert(new) } else { unflushed.remove(new) }
      }
    }
  }

  func remove(_ path: String) throws {
    try change(path) { nodes[path] = nil }
  }

  func removeFolder(_ path: String) throws {
    try change(path) {
      guard paths(beneath: path).isEmpty else { throw Failure(.ioError, path, "is not empty") }
      nodes[path] = nil
    }
  }

  func synchronize(_ folder: String) throws {
    try change(folder) {
      _ = try require(folder)
      durable = nodes
      for path in unflushed where durable[path] != nil { durable[path] = .file([]) }
    }
  }

  func synchronizeAll(_ folder: String) throws {
    try change(folder) {
      _ = try require(folder)
      unflushed = []
      durable = nodes
    }
  }
}
