import Compute
import Glibc
import Synchronization
import Testing

@Suite("The pool of threads", .serialized)
struct WorkerPoolTests {
  /// A pool with some threads besides the caller; they last as long as the process.
  private static let pools = [1, 2, 7, 260].map { (helpers: $0, pool: WorkerPool()) }

  /// Waits for something that the other threads do.
  /// - Returns: whether it came about within half a minute.
  private func wait(for condition: () -> Bool) -> Bool {
    let limit = ContinuousClock.now + .seconds(30)
    while !condition() {
      if ContinuousClock.now > limit { return false }
      sched_yield()
    }
    return true
  }

  @Test("computes every chunk once, in any number and order", arguments: Self.pools.indices)
  func onceEach(index: Int) {
    let (helpers, pool) = Self.pools[index]
    for round in 0..<(helpers > 100 ? 50 : 2000) {
      let chunks = 1 + round % 41
      let counts = Mutex([Int](repeating: 0, count: chunks))
      #expect(
        pool.run(chunks, inOrder: round % (chunks + 1), helpers: helpers) { chunk in counts.withLock { $0[chunk] += 1 }
        })
      #expect(counts.withLock { $0.allSatisfy { $0 == 1 } }, "round \(round)")
    }
  }

  @Test("lets each chunk of those in order wait for the one before", arguments: Self.pools.indices)
  func inOrder(index: Int) {
    let (helpers, pool) = Self.pools[index]
    for (chunks, last) in [(1, 1), (9, 9), (40, 12), (1000, 500)] {
      // The chunk that may end next.
      let turn = Atomic<Int>(chunks - last)
      let isStuck = Atomic<Bool>(false)
      _ = pool.run(chunks, inOrder: last, helpers: helpers) { chunk in
        guard chunk >= chunks - last, !isStuck.load(ordering: .relaxed) else { return }
        let isNext = wait { turn.load(ordering: .acquiring) == chunk }
        if !isNext { isStuck.store(true, ordering: .relaxed) }
        turn.store(chunk + 1, ordering: .releasing)
      }
      let hasWaitedInVain = isStuck.load(ordering: .relaxed)
      #expect(!hasWaitedInVain, "\(chunks) chunks, \(last) in order")
    }
  }

  @Test("gives each thread the same neighbouring chunks in every work")
  func places() {
    let (helpers, pool) = Self.pools[1]
    var owners: [Set<pthread_t>] = .init(repeating: [], count: helpers + 1)
    for _ in 0..<100 {
      let first = Mutex<[(thread: pthread_t, chunk: Int)]>([])
      let isTimely = Atomic<Bool>(true)
      _ = pool.run(12, inOrder: 0, helpers: helpers) { chunk in
        let isFirst = first.withLock { seen in
          if seen.contains(where: { $0.thread == pthread_self() }) { return false }
          seen.append((pthread_self(), chunk))
          return true
        }
        // Nobody takes another's chunks before all have begun with their own.
        if isFirst, !wait(for: { first.withLock { $0.count } == helpers + 1 }) {
          isTimely.store(false, ordering: .relaxed)
        }
      }
      let haveAllBegun = isTimely.load(ordering: .relaxed)
      #expect(haveAllBegun)
      let begun = first.withLock { $0.sorted { $0.chunk < $1.chunk } }
      #expect(begun.map(\.chunk) == [0, 4, 8])
      for (place, entry) in begun.enumerated() { owners[place].insert(entry.thread) }
    }
    #expect(owners.allSatisfy { $0.count == 1 })
  }

  @Test("sends a second caller away while it is busy, also one of its own chunks")
  func busy() {
    let (helpers, pool) = Self.pools[0]
    let taken = Atomic<Int>(0)
    #expect(
      pool.run(4, inOrder: 0, helpers: helpers) { _ in
        if pool.run(1, inOrder: 0, helpers: helpers, { _ in }) { taken.add(1, ordering: .relaxed) }
      })
    let insideOthers = taken.load(ordering: .relaxed)
    #expect(insideOthers == 0)
    #expect(pool.run(1, inOrder: 0, helpers: helpers) { _ in })
  }
}
