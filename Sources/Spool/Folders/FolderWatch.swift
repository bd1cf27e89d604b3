import Diagnostics
import Files
import Foundation

/// What happened to a file of a watched folder.
package struct FolderEvent: Sendable, Equatable {
  package enum Kind: Sendable {
    /// A new name: a file that is about to be opened, another name of one, a link, a pipe.
    case created
    /// It was opened; for what is not said.
    case opened
    /// Its content was changed.
    case modified
    /// Somebody who had it open for writing closed it.
    case closedAfterWriting
    /// Somebody who had it open for reading closed it.
    case closedAfterReading
    /// It was renamed to this name.
    case movedIn
  }

  package let kind: Kind
  package let name: String

  package init(_ kind: Kind, _ name: String) { (self.kind, self.name) = (kind, name) }
}

/// Notices, through inotify, what happens to the files of a folder.
///
/// The kernel keeps notices in their order until they are read, so nothing is missed while the daemon is busy or stopped,
/// up to `fs.inotify.max_queued_events` of them. Of two equal ones in a row it may keep one.
final class FolderWatch {
  let descriptor: Int32
  private let folder: String
  private let identity: Identity

  /// What was read.
  struct News {
    var events: [FolderEvent] = []
    /// Whether the kernel had to drop some.
    var isIncomplete = false
    /// Whether nothing will come any more: the folder is gone, or another stands in its place.
    var isOver = false
  }

  /// Which folder it is, whatever stands under its name by now.
  private struct Identity: Equatable {
    let device: dev_t
    let inode: ino_t

    init?(_ folder: String) {
      var status = stat()
      guard lstat(folder, &status) == 0 else { return nil }
      (device, inode) = (status.st_dev, status.st_ino)
    }
  }

  /// A reader who opens a file by the kernel's leave is heard, too: whether a file was reopened after it was closed, and
  /// closed again, is what all of these are needed for. `IN_EXCL_UNLINK`: who still writes to a file that was removed
  /// does not write to another one of its name.
  private static let mask =
    IN_CREATE | IN_OPEN | IN_MODIFY | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
    | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK
  /// More than the kernel keeps unless it is told otherwise: a reading that lasts as long as others write would have no end.
  private static let mostEvents = 1_000_000

  /// - Throws: a `Failure` where the machine has no watches left, or there is no such folder.
  init(_ folder: String) throws {
    let descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { throw Failure.system(folder, "watch") }
    guard inotify_add_watch(descriptor, folder, UInt32(bitPattern: Self.mask)) >= 0, let identity = Identity(folder)
    else {
      let failure = Failure.system(folder, "watch")
      close(descriptor)
      throw failure
    }
    self.descriptor = descriptor
    self.folder = folder
    self.identity = identity
  }

  deinit { close(descriptor) }

  /// Whether the folder that is watched still stands under its name; a mount over it is nothing that the kernel tells.
  var isCurrent: Bool { Identity(folder) == identity }

  /// What has happened since the last call, in its order, to files whose names are text.
  func news() -> News {
    var news = News()
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while news.events.count < Self.mostEvents {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      buffer.withUnsafeBytes { Self.read(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &news) }
    }
    return news
  }

  private static func read(_ bytes: UnsafeRawBufferPointer, into news: inout News) {
    let headerBytes = MemoryLayout<inotify_event>.size
    var offset = 0
    while offset + headerBytes <= bytes.count {
      let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
      let end = min(bytes.count, offset + headerBytes + Int(event.len))
      let name = bytes[(offset + headerBytes)..<end].prefix { $0 != 0 }
      offset = end
      let mask = Int32(bitPattern: event.mask)
      if mask & IN_Q_OVERFLOW != 0 { news.isIncomplete = true }
      if mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT) != 0 { news.isOver = true }
      guard let kind = kind(mask), !name.isEmpty, let text = String(validating: name, as: UTF8.self) else { continue }
      news.events.append(FolderEvent(kind, text))
    }
  }

  private static func kind(_ mask: Int32) -> FolderEvent.Kind? {
    if mask & IN_MOVED_TO != 0 { return .movedIn }
    if mask & IN_CREATE != 0 { return .created }
    // Of folders, that they are there is enough.
    if mask & IN_ISDIR != 0 { return nil }
    if mask & IN_OPEN != 0 { return .opened }
    if mask & IN_MODIFY != 0 { return .modified }
    if mask & IN_CLOSE_WRITE != 0 { return .closedAfterWriting }
    if mask & IN_CLOSE_NOWRITE != 0 { return .closedAfterReading }
    return nil
  }
}
