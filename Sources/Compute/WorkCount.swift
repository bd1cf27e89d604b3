import Synchronization

/// The work of operations on many threads, counted instead of done.
///
/// While a count is under way on a thread, operations run there as they are shipped: they allocate, cut their work into tasks
/// and ask for the number of threads. Only the kernels at the bottom are replaced by ones that say how much they would have
/// done. So a network of any size passes in a moment, on as many threads as are asked about, and without their processors.
/// Numbers are not computed: tensors that are made meanwhile hold zeros, and a network that took part is good for nothing else.
///
/// Work is counted in floating-point operations: two for each multiply-add of a product, and for everything else
/// `flopsOfFloat` for each float that is read or written. Tasks are given out in their order, each to the thread that is free
/// first. Threads that run begin with tasks of their own and then take from others: either way none waits while there is a
/// task left. What is in no task is done by the calling thread while the others wait.
public final class WorkCount: @unchecked Sendable {
  // Belongs to the thread that counts: nothing that runs in a count starts another thread.

  /// How many floating-point operations a float counts as that is read or written outside of a product.
  public static let flopsOfFloat = 8.0
  /// The same for a sine, a cosine, a logarithm or a power of the C library.
  public static let flopsOfFunction = 500.0

  /// The threads that are asked about.
  public let threads: Int
  /// What was counted, in the order of the calls.
  public private(set) var layers: [CountedLayer] = []

  private var kind: LayerKind?
  private var depth = 0
  /// Work of the calling thread since the last task, and where time has arrived in the layer.
  private var alone = 0.0
  private var task: Task?
  private var current = CountedLayer(kind: .other)

  /// A task that is being counted: from latch to latch.
  private struct Task {
    var started: Double
    var time: Double
    var work = 0.0
  }
  /// When latches open.
  private var opening: [ObjectIdentifier: Double] = [:]

  private init(threads: Int) { self.threads = threads }

  /// Counts what `body` would do on some threads.
  /// - Parameter threads: at least one.
  /// - Returns: the work, layer by layer.
  /// - Throws: what `body` throws.
  public static func layers(threads: Int, _ body: () throws -> Void) rethrows -> [CountedLayer] {
    precondition(threads > 0, "\(threads) threads")
    let count = WorkCount(threads: threads)
    underWay.add(1, ordering: .relaxed)
    defer { underWay.subtract(1, ordering: .relaxed) }
    try $onThisThread.withValue(count, operation: body)
    count.close(.other)
    return count.layers
  }

  @TaskLocal private static var onThisThread: WorkCount?
  /// Counts of this process: while there are none, nobody looks further.
  private static let underWay = Atomic<Int>(0)

  /// The count that is under way on this thread.
  @inline(__always) static var active: WorkCount? {
    underWay.load(ordering: .relaxed) == 0 ? nil : onThisThread
  }

  /// Whether numbers are not computed on this thread for now.
  package static var isUnderWay: Bool { active != nil }

  // MARK: - What operations say

  /// Begins an operation; it lasts until `end` of what is returned. Operations inside of it are part of it.
  @inline(__always) package static func begin(_ kind: LayerKind) -> WorkCount? {
    guard let count = active else { return nil }
    count.begin(kind)
    return count
  }

  private func begin(_ kind: LayerKind) {
    if depth == 0 {
      close(.other)
      self.kind = kind
    }
    depth += 1
  }

  /// Ends the operation that began last.
  package func end() {
    depth -= 1
    if depth == 0, let kind { close(kind) }
  }

  /// Says that the calling thread reads or writes floats, without a kernel.
  @inline(__always) package static func note(floats: Int) { active?.add(floats: floats) }

  /// Says that the calling thread computes functions of the C library.
  @inline(__always) package static func note(functions: Int) {
    active?.add(flops: Double(functions) * flopsOfFunction)
  }

  func add(floats: Int) { add(flops: Double(floats) * Self.flopsOfFloat) }

  func add(flops: Double) {
    if task == nil {
      alone += flops
    } else {
      task?.time += flops
      task?.work += flops
    }
  }

  /// Counts tasks that several threads share.
  func run(_ chunks: Int, _ body: (Int) -> Void) {
    if task != nil {
      // The threads have something to do already.
      for chunk in 0..<chunks { body(chunk) }
      return
    }
    advance()
    // When each thread is free again.
    var free = [Double](repeating: current.time, count: min(threads, max(chunks, 1)))
    for chunk in 0..<chunks {
      let first = free.indices.min { free[$0] < free[$1] } ?? 0
      task = Task(started: free[first], time: free[first])
      body(chunk)
      if let task {
        free[first] = task.time
        current.add(task: task.work)
      }
      task = nil
    }
    current.time = free.max() ?? current.time
    opening = [:]
  }

  /// Says that a latch has one to wait for less.
  func opens(_ latch: Latch) {
    guard let task else { return }
    opening[ObjectIdentifier(latch)] = max(opening[ObjectIdentifier(latch)] ?? 0, task.time)
  }

  /// Waits for a latch.
  func waits(for latch: Latch) {
    guard let time = task?.time else { return }
    task?.time = max(time, opening[ObjectIdentifier(latch)] ?? 0)
  }

  private func advance() {
    current.time += alone
    current.work += alone
    alone = 0
  }

  private func close(_ kind: LayerKind) {
    advance()
    current.kind = kind
    if current.work > 0 { layers.append(current) }
    current = CountedLayer(kind: .other)
    self.kind = nil
  }
}

/// The work of one operation on some threads. Units are floating-point operations, as `WorkCount` counts them.
public struct CountedLayer: Sendable, Equatable {
  /// What it does.
  public internal(set) var kind: LayerKind
  /// All work.
  public internal(set) var work = 0.0
  /// From its begin to its end: the work that no two threads do at the same time, and what a thread waits for another.
  public internal(set) var time = 0.0
  /// Tasks that any thread may take.
  public private(set) var tasks = 0
  /// The work of the smallest of them; 0 where there is none.
  public private(set) var smallestTask = 0.0

  init(kind: LayerKind) { self.kind = kind }

  /// The share of a work that one thread does while all others wait, if the rest were shared out evenly: s in
  /// time = work * (s + (1 - s) / threads), which measurements call the experimentally determined serial fraction (Karp &
  /// Flatt 1990, Communications of the ACM 33). Tasks too few, too large or too uneven count as serial work, and so does what
  /// several threads compute because one does not have it from another.
  ///
  /// - Parameters:
  ///   - work: as one thread does it.
  ///   - time: on that many threads.
  public static func serialShare(work: Double, time: Double, threads: Int) -> Double {
    guard threads > 1, work > 0 else { return 0 }
    let n = Double(threads)
    return max(0, (time / work - 1 / n) / (1 - 1 / n))
  }

  fileprivate mutating func add(task: Double) {
    work += task
    // What a thread takes and finds empty is no task.
    guard task > 0 else { return }
    smallestTask = tasks == 0 ? task : min(smallestTask, task)
    tasks += 1
  }
}

/// What an operation does, as reports of a count name it.
public enum LayerKind: String, CaseIterable, Sendable {
  /// Convolutions with a kernel of more than one pixel.
  case convolution = "convolution 3x3"
  case convolutionInputGradient = "convolution 3x3, input gradient"
  case convolutionWeightGradient = "convolution 3x3, weight gradient"
  /// Convolutions with a kernel of one pixel.
  case pointwise = "convolution 1x1"
  case pointwiseInputGradient = "convolution 1x1, input gradient"
  case pointwiseWeightGradient = "convolution 1x1, weight gradient"
  /// Matrices by which embeddings are multiplied.
  case linear = "linear"
  case linearInputGradient = "linear, input gradient"
  case linearWeightGradient = "linear, weight gradient"
  case biasGradient = "bias gradient"
  case groupNorm = "group norm"
  case groupNormGradient = "group norm, gradient"
  case attention = "attention"
  case attentionGradient = "attention, gradient"
  case resampling = "resampling"
  case pooling = "pooling"
  /// Sums, products and activations of whole tensors.
  case elementwise = "elementwise"
  /// Channels of images put together or taken apart.
  case channels = "channels"
  case dropout = "dropout"
  /// Noise levels as vectors.
  case embedding = "noise embedding"
  /// Random numbers of a training.
  case draws = "random draws"
  case loss = "loss"
  /// The update of all parameters of a network, their moments and their average.
  case optimizer = "optimizer"
  /// What belongs to no layer.
  case other = "between the layers"
}
