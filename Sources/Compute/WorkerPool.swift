import CVector
import Foundation
import Synchronization

/// Threads that wait for chunks of work.
///
/// A training step consists of thousands of operations of some ten microseconds each, so a worker looks for the next one
/// for a moment before it goes to sleep: waking it would take as long as the work.
///
/// Each thread has its share of the chunks, neighbours of each other and at the same place among all of them in every work: what
/// one operation has written of an image is still in the cache of the core that reads it in the next. Who has done his share
/// takes from the end of others'.
package final class WorkerPool: Sendable {
  /// How many works there were.
  private let generation = Atomic<Int>(0)
  /// How many workers may take chunks of the work at hand.
  private let limit = Atomic<Int>(0)
  private let finished = Atomic<Int>(0)
  private let isBusy = Atomic<Bool>(false)
  private let sleepers = Atomic<Int>(0)
  private let isCallerAsleep = Atomic<Bool>(false)
  private let condition = NSCondition()
  private let shares = Shares()
  private let work = Work()

  /// A pool whose threads are started when they are needed, and last as long as the process.
  package init() {}

  /// What the shares are about. Written only while no chunk is left or under way, before the shares that publish it: whoever
  /// has taken a chunk may read it, since the work cannot end before that chunk.
  private final class Work: @unchecked Sendable {
    var body: ((Int) -> Void)?
    var chunks = 0
    /// Workers that were started; guarded by `isBusy`.
    var workers = 0
  }

  /// The chunks that nobody has taken yet: one range for each thread, the caller's first, and one that is taken in order.
  private final class Shares: @unchecked Sendable {
    /// Ranges, each on cache lines of its own: the first chunk, and in the upper half of the word the end.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// Words from one range to the next: two lines, which processors fetch together.
    private static let stride = 16
    /// Threads that have a range; more take from the others'.
    static let most = 255

    init() {
      words = .allocate(capacity: (Self.most + 1) * Self.stride)
      for index in 0..<(Self.most + 1) * Self.stride { (words + index).initialize(to: Atomic(0)) }
    }

    private static let inOrder = most

    func publish(_ range: Range<Int>, of thread: Int) {
      words[thread * Self.stride].store(
        UInt64(range.lowerBound) | UInt64(range.upperBound) << 32, ordering: .releasing)
    }

    func publishInOrder(_ range: Range<Int>) { publish(range, of: Self.inOrder) }

    func takeFirst(of thread: Int) -> Int? { take(thread) { ($0 & 0xffff_ffff, $0 &+ 1) } }

    func takeLast(of thread: Int) -> Int? { take(thread) { (($0 >> 32) &- 1, $0 &- 1 << 32) } }

    func takeInOrder() -> Int? { takeFirst(of: Self.inOrder) }

    /// - Parameter choose: the chunk, and what is left.
    private func take(_ thread: Int, _ choose: (UInt64) -> (chunk: UInt64, left: UInt64)) -> Int? {
      let index = thread * Self.stride
      var seen = words[index].load(ordering: .relaxed)
      while seen & 0xffff_ffff < seen >> 32 {
        let (chunk, left) = choose(seen)
        let (isTaken, now) = words[index].weakCompareExchange(
          expected: seen, desired: left, ordering: .acquiringAndReleasing)
        if isTaken { return Int(chunk) }
        seen = now
      }
      return nil
    }
  }

  /// Rounds of looking before a thread sleeps: about 30 microseconds.
  private static let patience = 2000

  /// Calls `body` once for each chunk on this thread and up to `helpers` others, and returns when all are done.
  ///
  /// - Parameters:
  ///   - chunks: how many.
  ///   - inOrder: so many chunks, the last ones, are taken in order, after all the others.
  ///   - helpers: threads besides this one.
  ///   - body: computes a chunk.
  /// - Returns: false, without having done anything, while another thread uses the pool.
  package func run(_ chunks: Int, inOrder: Int, helpers: Int, _ body: @escaping (Int) -> Void) -> Bool {
    guard chunks < 1 << 31, !isBusy.exchange(true, ordering: .acquiring) else { return false }
    defer { isBusy.store(false, ordering: .releasing) }
    while work.workers < helpers { start() }
    work.body = body
    work.chunks = chunks
    finished.store(0, ordering: .relaxed)
    limit.store(helpers, ordering: .relaxed)
    let (free, owners) = (chunks - inOrder, min(helpers + 1, Shares.most))
    for thread in 0..<owners {
      shares.publish(thread * free / owners..<(thread + 1) * free / owners, of: thread)
    }
    shares.publishInOrder(free..<chunks)
    generation.add(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wake() }
    compute(0)
    waitForOthers(chunks)
    work.body = nil
    return true
  }

  private func start() {
    let index = work.workers
    let thread = Thread { [self] in serve(index + 1) }
    thread.stackSize = 4 << 20
    thread.name = "sid-worker-\(index + 1)"
    thread.start()
    work.workers += 1
  }

  private func serve(_ thread: Int) {
    var done = 0
    while true {
      var rounds = 0
      while !mayWork(thread, done) {
        rounds += 1
        if rounds > Self.patience {
          sleep(thread, done)
          rounds = 0
        } else {
          sid_pause()
        }
      }
      done = generation.load(ordering: .acquiring)
      compute(thread)
    }
  }

  private func mayWork(_ thread: Int, _ done: Int) -> Bool {
    generation.load(ordering: .sequentiallyConsistent) != done && thread <= limit.load(ordering: .relaxed)
  }

  /// Computes a thread's own chunks, then what is left of the others', then those in order.
  private func compute(_ thread: Int) {
    let owners = min(limit.load(ordering: .relaxed) + 1, Shares.most)
    let own = thread % owners
    while let chunk = shares.takeFirst(of: own) { compute(chunk: chunk) }
    for distance in 1..<max(owners, 1) {
      while let chunk = shares.takeLast(of: (own + distance) % owners) { compute(chunk: chunk) }
    }
    while let chunk = shares.takeInOrder() { compute(chunk: chunk) }
  }

  private func compute(chunk: Int) {
    let chunks = work.chunks
    work.body?(chunk)
    if finished.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue == chunks,
      isCallerAsleep.load(ordering: .sequentiallyConsistent)
    {
      wake()
    }
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

  private func sleep(_ thread: Int, _ done: Int) {
    condition.lock()
    sleepers.add(1, ordering: .sequentiallyConsistent)
    if !mayWork(thread, done) { condition.wait() }
    sleepers.subtract(1, ordering: .sequentiallyConsistent)
    condition.unlock()
  }

  private func wake() {
    condition.lock()
    condition.broadcast()
    condition.unlock()
  }
}
