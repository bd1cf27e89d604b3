import CLinux
import Diagnostics
import Files
import Foundation

/// Signals as something to read and to poll for.
struct SignalDescriptor: ~Copyable {
  let descriptor: Int32

  /// Blocks `signals` in the calling thread, and in threads it starts later, and delivers them here instead; one that is
  /// ignored would be delivered as well.
  init(_ signals: [Int32]) throws {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    let descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    guard descriptor >= 0 else { throw Failure.system("signalfd", "create") }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// The signals that have come since the last call.
  func read() -> [Int32] {
    var signals: [Int32] = []
    var info = signalfd_siginfo()
    while Glibc.read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
      signals.append(Int32(info.ssi_signo))
    }
    return signals
  }
}
