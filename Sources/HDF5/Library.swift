import CHDF5
import Diagnostics
import Foundation

/// The gate to libhdf5, which is not safe to enter from two threads.
///
/// Every call of the library happens inside `locked`.
enum Library {
  private static let lock = NSRecursiveLock()
  private static let isConfigured: Bool = {
    // Files are closed by those who opened them. The library's own closing at exit would wait for what a program that
    // ends early still holds, and complain.
    H5dont_atexit()
    // A data file must not decide which shared objects are loaded as filters.
    H5PLset_loading_state(0)
    return true
  }()

  /// Runs `body` while this thread alone may call the library.
  static func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    _ = isConfigured
    // The library would print its call stack to stderr; a thread-safe build keeps this setting per thread.
    H5Eset_auto2(sid_h5e_default(), nil, nil)
    return try body()
  }

  /// The failure behind the library call that has just failed.
  ///
  /// To be called before any other call of the library, which would clear its record of what went wrong.
  /// - Parameters:
  ///   - status: the status where the cause is not the disk.
  ///   - path: the file it is about.
  ///   - problem: what could not be done.
  static func failure(_ status: ExitStatus, _ path: String, _ problem: String, remedy: String? = nil) -> Failure {
    var messages: [String] = []
    withUnsafeMutablePointer(to: &messages) { messages in
      _ = H5Ewalk2(
        sid_h5e_default(), H5E_WALK_UPWARD,
        { _, record, context in
          guard let record, let context, let text = record.pointee.desc else { return 0 }
          context.assumingMemoryBound(to: [String].self).pointee.append(String(cString: text))
          return 0
        }, messages)
    }
    let all = messages.joined(separator: "; ")
    if all.contains("errno = \(ENOSPC),") || all.contains("errno = \(EDQUOT),") {
      return Failure(
        .temporaryFailure, path, "\(problem): the disk is full", remedy: "free some space and run it again")
    }
    let status = all.contains("errno = \(EIO),") ? ExitStatus.ioError : status
    guard let cause = messages.first else { return Failure(status, path, problem, remedy: remedy) }
    return Failure(status, path, "\(problem) (libhdf5: \(cause))", remedy: remedy)
  }
}

/// An identifier of the library, released with its last reference.
final class Handle {
  /// Negative once it is released.
  private(set) var id: hid_t
  private let releaseID: (hid_t) -> herr_t

  /// - Returns: nil where the library call that made `id` has failed.
  init?(_ id: hid_t, release: @escaping (hid_t) -> herr_t) {
    guard id >= 0 else { return nil }
    self.id = id
    releaseID = release
  }

  deinit { _ = release() }

  /// Releases it now; a second time does nothing.
  /// - Returns: negative where the library call has failed.
  func release() -> herr_t {
    guard id >= 0 else { return 0 }
    return Library.locked {
      defer { id = -1 }
      return releaseID(id)
    }
  }
}
