import Foundation

/// What a service manager wants to know of the daemon.
final class ServiceManager {
  private let watchdogSeconds: Double?
  private let notify: (String) -> Void
  private var lastWatchdog = ContinuousClock.now
  private var lastStatus = ""

  /// - Parameters:
  ///   - watchdogSeconds: how often `WATCHDOG=1` is due; nil where it is not.
  ///   - notify: hands it on.
  init(watchdogSeconds: Double?, _ notify: @escaping (String) -> Void) {
    (self.watchdogSeconds, self.notify) = (watchdogSeconds, notify)
  }

  func tell(_ text: String) { notify(text) }

  /// Tells one line for `systemctl status`, where it is another one than the last.
  func tell(status: String) {
    guard status != lastStatus else { return }
    lastStatus = status
    notify("STATUS=\(status)")
  }

  /// Tells that the main loop still turns, where that is due.
  func feedWatchdog() {
    guard let watchdogSeconds, passed >= watchdogSeconds * 0.9 else { return }
    lastWatchdog = .now
    notify("WATCHDOG=1")
  }

  /// How long until that is due; nil where it never is.
  var waitSeconds: Double? { watchdogSeconds.map { $0 - passed } }

  private var passed: Double { (ContinuousClock.now - lastWatchdog) / .seconds(1) }
}
