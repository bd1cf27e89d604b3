import Dispatch
import Synchronization

/// The threads that every operation of this module shares.
///
/// Work is cut into chunks by its shape alone and every chunk computes the same whichever thread runs it, so results
/// do not depend on the number of threads.
public enum Threads {
  private static let limit = Atomic<Int>(1)
  private static let pool = WorkerPool()

  /// The number of threads that operations use; where a `WorkCount` is under way, those that it asks about.
  public static var count: Int { WorkCount.active?.threads ?? limit.load(ordering: .relaxed) }

  /// Sets the number of threads, at least one.
  public static func use(_ count: Int) { limit.store(max(1, count), ordering: .relaxed) }

  /// Whether equal tasks keep all threads busy but for an eighth of the time at most.
  static func areBusy(tasks: Int) -> Bool {
    let threads = count
    return (tasks + threads - 1) / threads * threads * 7 <= tasks * 8
  }

  /// Calls `body` once for each chunk, on up to `count` threads. Chunks may run in any order.
  ///
  /// Neighbouring chunks should be about neighbouring memory: a thread takes one part of all chunks, the same in every
  /// operation, and helps with others' when it is done.
  /// - Parameters:
  ///   - chunks: how many; what they compute is a function of the work's shape, never of the number of threads.
  ///   - inOrder: so many chunks, the last ones, are taken in order, after all the others, so that they may wait for those
  ///     of smaller number.
  package static func forEach(_ chunks: Int, inOrder: Int = 0, _ body: (Int) -> Void) {
    if let count = WorkCount.active { return count.run(chunks, body) }
    let workers = min(count, chunks)
    if workers <= 1 {
      for chunk in 0..<chunks { body(chunk) }
      return
    }
    withoutActuallyEscaping(body) { body in
      if pool.run(chunks, inOrder: inOrder, helpers: workers - 1, body) { return }
      // Another thread has the workers, or this is a chunk of theirs. The closure runs only inside concurrentPerform, which
      // returns after the last chunk.
      let shared = Unchecked(body)
      let next = Counter()
      DispatchQueue.concurrentPerform(iterations: workers) { _ in
        while true {
          let chunk = next.take()
          if chunk >= chunks { return }
          shared.value(chunk)
        }
      }
    }
  }

  /// `transform` of each element, in order, on up to `count` threads.
  ///
  /// - Parameters:
  ///   - oneAfterTheOther: whether to stay on the calling thread, in order, and stop at the first error.
  ///   - transform: may run for several elements at once.
  /// - Throws: what `transform` throws for the first element, in their order, that it throws for.
  package static func map<Element, Value, Problem: Error>(
    _ elements: [Element], oneAfterTheOther: Bool = false, _ transform: (Element) throws(Problem) -> Value
  ) throws(Problem) -> [Value] {
    if oneAfterTheOther { return try elements.map(transform) }
    var results = [Result<Value, Problem>?](repeating: nil, count: elements.count)
    results.withUnsafeMutableBufferPointer { slots in
      let slots = slots
      forEach(elements.count) { index in
        do throws(Problem) { slots[index] = .success(try transform(elements[index])) } catch {
          slots[index] = .failure(error)
        }
      }
    }
    var values: [Value] = []
    values.reserveCapacity(elements.count)
    for result in results { if let result { values.append(try result.get()) } }
    return values
  }

  private final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func take() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
  }

  /// Carries a closure to the workers. Safe because chunks write disjoint memory and the caller waits for all of them.
  private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }
}

extension Tensor {
  /// The elements, for kernels. Valid while the tensor lives.
  package var pointer: UnsafePointer<Float> { UnsafePointer(storage.pointer) }

  /// The elements of a tensor that this very operation has just created and nobody else sees yet.
  package var mutable: UnsafeMutablePointer<Float> { storage.pointer }
}
