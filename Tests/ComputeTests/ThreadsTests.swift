import Compute
import Dispatch
import Synchronization
import Testing

@Suite("Work in chunks")
struct ThreadsTests {
  /// How often each chunk was computed.
  private final class Tally: Sendable {
    private let counts: Mutex<[Int]>
    init(_ chunks: Int) { counts = Mutex([Int](repeating: 0, count: chunks)) }
    func count(_ chunk: Int) { counts.withLock { $0[chunk] += 1 } }
    var isOnceEach: Bool { counts.withLock { $0.allSatisfy { $0 == 1 } } }
  }

  @Test("Every chunk is computed once, thousands of times over, when forEach returns")
  func onceEach() {
    Threads.use(2)
    for round in 0..<3000 {
      let chunks = round % 17
      let tally = Tally(chunks)
      Threads.forEach(chunks) { tally.count($0) }
      #expect(tally.isOnceEach, "round \(round)")
    }
  }

  @Test("Several callers at once, and calls from inside a chunk, all end")
  func nestedAndConcurrent() {
    Threads.use(2)
    let outer = 8
    let tallies = (0..<outer * 5).map { _ in Tally(7) }
    DispatchQueue.concurrentPerform(iterations: outer) { caller in
      for round in 0..<200 {
        let inner = Tally(4)
        Threads.forEach(5) { chunk in
          if round == 0 { Threads.forEach(7) { tallies[caller * 5 + chunk].count($0) } }
          if chunk < 4 { inner.count(chunk) }
        }
        #expect(inner.isOnceEach)
      }
    }
    #expect(tallies.allSatisfy { $0.isOnceEach })
  }

  private struct Problem: Error, Equatable { let element: Int }

  @Test("map keeps the order, and throws what the first of several failing elements throws", arguments: [false, true])
  func map(oneAfterTheOther: Bool) throws {
    Threads.use(2)
    let elements = Array(0..<100)
    let squares = Threads.map(elements, oneAfterTheOther: oneAfterTheOther) { $0 * $0 }
    #expect(squares == elements.map { $0 * $0 })
    #expect(throws: Problem(element: 7)) {
      try Threads.map(elements, oneAfterTheOther: oneAfterTheOther) { element throws(Problem) in
        if element % 40 == 7 { throw Problem(element: element) }
      }
    }
  }
}
