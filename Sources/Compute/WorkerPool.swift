import CVector
import Foundation
import Synchronization

/// Threads that wait for chunks of work.
///
/// A training step consists of thousands of operations of some ten microseconds each, so a worker looks for the next one
/// for a moment before it goes to sleep: waking it would take as long as the work.
final class WorkerPool: Sendable {
  /// Work in hand: how often the pool was used, and below it the chunks that nobody has taken yet. One word, so that
  /// whoever takes a chunk knows that it belongs to the work whose body and size stand beside it.
  private let ticket = Atomic<UInt64>(0)
  private let finished = Atomic<Int>(0)
  /// How many workers may take chunks.
  private let limit = Atomic<Int>(0)
  private let isBusy = Atomic<Bool>(false)
  private let sleepers = Atomic<Int>(0)
  private let isCallerAsleep = Atomic<Bool>(false)
  private let condition = NSCondition()
  private let work = Work()

  /// What the ticket is about. Written only while no chunk is left or under way, before the ticket that publishes it.
  private final class Work: @unchecked Sendable {
    var body: ((Int) -> Void)?
    var chunks = 0
    /// Workers that were started; guarded by `isBusy`.
    var workers = 0
  }

  /// Rounds of looking before a thread sleeps: about 30 microseconds.
  private static let patience = 2000

  /// Calls `body` once for each chunk on this thread and up to `helpers` others, and returns when all are done.
  /// - Returns: false, without having done anything, while another thread uses the pool.
  func run(_ chunks: Int, helpers: Int, _ body: @escaping (Int) -> Void) -> Bool {
    guard chunks < 1 << 31, !isBusy.exchange(true, ordering: .acquiring) else { return false }
    defer { isBusy.store(false, ordering: .releasing) }
    while work.workers < helpers { start() }
    work.body = body
    work.chunks = chunks
    finished.store(0, ordering: .relaxed)
    limit.store(helpers, ordering: .relaxed)
    let generation = (ticket.load(ordering: .relaxed) >> 32 &+ 1) << 32
    ticket.store(generation | UInt64(chunks), ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wake() }
    while takeChunk() {}
    waitForOthers(chunks)
    work.body = nil
    return true
  }

  private func start() {
    let index = work.workers
    let thread = Thread { [self] in serve(index) }
    thread.stackSize = 4 << 20
    thread.name = "sid-worker-\(index + 1)"
    thread.start()
    work.workers += 1
  }

  private func serve(_ index: Int) {
    while true {
      var rounds = 0
      while !mayWork(index) {
        rounds += 1
        if rounds > Self.patience {
          sleep(index)
          rounds = 0
        } else {
          sid_pause()
        }
      }
      while takeChunk() {}
    }
  }

  private func mayWork(_ index: Int) -> Bool {
    ticket.load(ordering: .sequentiallyConsistent) & 0xffff_ffff > 0 && index < limit.load(ordering: .relaxed)
  }

  /// Takes one chunk and computes it; false if none is left.
  private func takeChunk() -> Bool {
    var seen = ticket.load(ordering: .acquiring)
    while true {
      guard seen & 0xffff_ffff > 0 else { return false }
      let (isTaken, now) = ticket.weakCompareExchange(
        expected: seen, desired: seen - 1, ordering: .acquiringAndReleasing)
      if isTaken { break }
      seen = now
    }
    // The work cannot end before this chunk, so both stay as they are.
    let chunks = work.chunks
    work.body?(chunks - Int(seen & 0xffff_ffff))
    if finished.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue == chunks,
      isCallerAsleep.load(ordering: .sequentiallyConsistent)
    {
      wake()
    }
    return true
  }

  private func waitForOthers(_ chunks: Int) {
    for _ in 0..<Self.patience {
      if finished.load(ordering: .acquiring) == chunks { return }
      sid_pause()
    }
    condition.lock()
    isCallerAsleep.store(true, ordering: .sequentiallyConsistent)
    while finished.load(ordering: .sequentiallyConsistent) != chunks { condition.wait() }
    isCallerAsleep.store(false, ordering: .sequentiallyConsistent)
    condition.unlock()
  }

  private func sleep(_ index: Int) {
    condition.lock()
    sleepers.add(1, ordering: .sequentiallyConsistent)
    if !mayWork(index) { condition.wait() }
    sleepers.subtract(1, ordering: .sequentiallyConsistent)
    condition.unlock()
  }

  private func wake() {
    condition.lock()
    condition.broadcast()
    condition.unlock()
  }
}
