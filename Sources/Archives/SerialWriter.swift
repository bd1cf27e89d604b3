import Dispatch
import Synchronization

/// Work that goes on beside the computing, one job after another.
///
/// The first job that fails is the last that runs; its error comes out of the next call. A few jobs may wait, no more, so
/// that memory stays bounded where writing is slower than computing.
final class SerialWriter: Sendable {
  private let queue = DispatchQueue(label: "sid.sample.writer", qos: .userInitiated)
  private let slots = DispatchSemaphore(value: 4)
  private let failure = Mutex<(any Error)?>(nil)

  /// Has a job done, in its turn.
  /// - Throws: what an earlier job threw.
  func submit(_ job: @escaping @Sendable () throws -> Void) throws {
    try check()
    slots.wait()
    queue.async { [self] in
      defer { slots.signal() }
      guard failure.withLock({ $0 == nil }) else { return }
      do { try job() } catch { failure.withLock { $0 = error } }
    }
  }

  /// Waits for all jobs.
  /// - Throws: what a job threw.
  func drain() throws {
    wait()
    try check()
  }

  /// Waits for all jobs, whatever became of them.
  func wait() { queue.sync {} }

  private func check() throws { if let error = failure.withLock({ $0 }) { throw error } }
}
