import Foundation
import Synchronization

/// Repeats an action in a thread of its own while `body` runs.
///
/// The thread is none of the pool that runs tests, which they may all hold.
/// - Parameter body: is handed a count of the repetitions so far, so that it can wait for the first.
/// - Returns: what `body` returns.
public func meanwhile<Result>(
  repeating action: @escaping @Sendable () -> Void, _ body: (_ repetitions: () -> Int) throws -> Result
) rethrows -> Result {
  let state = Repetition()
  Thread.detachNewThread {
    while !state.isOver.load(ordering: .relaxed) {
      action()
      state.count.wrappingAdd(1, ordering: .relaxed)
    }
    state.ended.signal()
  }
  defer {
    state.isOver.store(true, ordering: .relaxed)
    state.ended.wait()
  }
  return try body { state.count.load(ordering: .relaxed) }
}

private final class Repetition: Sendable {
  let count = Atomic(0)
  let isOver = Atomic(false)
  let ended = DispatchSemaphore(value: 0)
}
