import CLinux
import Diagnostics
import Files
import Foundation

/// Asks the kernel whether anybody has a file open for writing.
///
/// It asks for a read lease, which is refused while there is a writer and given back at once. Whoever opens the file for
/// writing meanwhile waits for that, and the kernel sends this process SIGIO, which it has to ignore. Only a file's owner and who
/// has CAP_LEASE may ask.
package struct WriterCheck {
  package enum Answer: Sendable, Equatable {
    case nobody, somebody
    /// It may not be asked, or the file system knows no leases.
    case unknown
    /// The machine or the disk refuses to look at present.
    case refused(Failure)
  }

  /// A folder where files of one's own can be made, to find out what a refusal means there.
  private let folder: String?
  private let ask: (Int32) -> Int32
  private let user: UInt32
  /// Until the kernel says otherwise.
  private var mayAskOfOthers = true
  /// Whether a file that nobody writes gets a lease; nil before that was tried.
  private var isGranted: Bool?

  /// - Parameters:
  ///   - folder: where a file may be made to find out whether leases work; nil to believe that they do.
  ///   - user: who asks.
  ///   - ask: what asks of a descriptor, in place of the kernel: 0 for nobody, 1 for somebody, else -1 and `errno`.
  package init(
    trialFolder folder: String?, user: UInt32 = geteuid(), ask: @escaping (Int32) -> Int32 = { sid_has_writer($0) }
  ) {
    self.folder = folder
    self.user = user
    self.ask = ask
  }

  /// - Parameters:
  ///   - path: a plain file.
  ///   - owner: whose it is. A file that may not be asked of is not opened.
  package mutating func writers(of path: String, owner: UInt32) -> Answer {
    guard owner == user || mayAskOfOthers else { return .unknown }
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else {
      return [EIO, EMFILE, ENFILE, ENOMEM].contains(errno) ? .refused(.system(path, "open")) : .unknown
    }
    defer { close(descriptor) }
    switch ask(descriptor) {
    case 0: return .nobody
    case 1: return grantsLeases() ? .somebody : .unknown
    default:
      if errno == EACCES, owner != user { mayAskOfOthers = false }
      return .unknown
    }
  }

  /// File systems of a network (NFS, SMB) refuse every lease as if there were a writer.
  private mutating func grantsLeases() -> Bool {
    if let isGranted { return isGranted }
    guard let folder else { return true }
    let path = "\(folder)/.lease-\(getpid()).tmp"
    let created = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    // On a full disk, say: to be asked again.
    guard created >= 0 else { return true }
    close(created)
    defer { unlink(path) }
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    isGranted = ask(descriptor) == 0
    return isGranted == true
  }
}
