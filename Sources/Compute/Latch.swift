import CVector
import Foundation
import Synchronization

/// Lets tasks of one `Threads.forEach` that are taken in order wait for others of them, of smaller number.
///
/// Those have been taken already and are under way, so the wait is short and always ends. Tasks that are not taken in order
/// may count down, but not wait.
final class Latch: Sendable {
  private let remaining: Atomic<Int>

  /// Opens after so many calls of `countDown`.
  init(_ count: Int) { remaining = Atomic(count) }

  /// Says that one of the tasks that are waited for is done, and makes what it wrote visible to those who wait.
  /// - Returns: whether it was the last one; what the others wrote is visible then.
  @discardableResult
  func countDown() -> Bool {
    WorkCount.active?.opens(self)
    return remaining.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
  }

  /// Waits until all are done.
  func wait() {
    WorkCount.active?.waits(for: self)
    var rounds = 0
    while remaining.load(ordering: .acquiring) > 0 {
      rounds += 1
      // Whoever is waited for may have lost its processor to this very thread.
      if rounds % 1000 == 0 { sched_yield() } else { sid_pause() }
    }
  }
}
