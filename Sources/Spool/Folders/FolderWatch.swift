import Diagnostics
import Files
import Foundation

/// Notices, through inotify, which files of a folder were closed after writing or moved in.
final class FolderWatch {
  let descriptor: Int32

  /// - Throws: a `Failure` where the machine has no watches left; the periodic scan still finds every file then.
  init(_ folder: String) throws {
    let descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { throw Failure.system(folder, "watch") }
    guard inotify_add_watch(descriptor, folder, UInt32(IN_CLOSE_WRITE | IN_MOVED_TO)) >= 0 else {
      let failure = Failure.system(folder, "watch")
      close(descriptor)
      throw failure
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// The names of the files that are complete since the last call. After an overflow the kernel has dropped some.
  func completedNames() -> Set<String> {
    var names: Set<String> = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let headerBytes = MemoryLayout<inotify_event>.size
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return names }
      buffer.withUnsafeBytes { bytes in
        var offset = 0
        while offset + headerBytes <= count {
          let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
          let end = min(count, offset + headerBytes + Int(event.len))
          let name = bytes[(offset + headerBytes)..<end].prefix { $0 != 0 }
          if !name.isEmpty, let name = String(validating: name, as: UTF8.self), !IncomingFiles.isIgnored(name) {
            names.insert(name)
          }
          offset = end
        }
      }
    }
  }
}
