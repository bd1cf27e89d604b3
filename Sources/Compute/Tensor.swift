import KernelInterface
import Synchronization

/// A dense float32 array in row-major order.
///
/// Value semantics: copies share memory until one of them is written. Images are NHWC inside this package.
public struct Tensor: Sendable {
  /// The extent of each axis, outermost first. An empty shape is a scalar.
  public let shape: [Int]
  package private(set) var storage: Storage

  /// The number of elements.
  public var count: Int { storage.count }
  /// Bytes that convolutions keep of this tensor as a weight.
  package var preparedBytes: Int { storage.preparedBytes }

  /// Memory of one tensor.
  ///
  /// Written only while a single `Tensor` refers to it (`mutablePointer` copies otherwise) or by the kernel that
  /// creates it, before anyone else sees it; read-only from then on. That makes sharing between threads safe.
  package final class Storage: @unchecked Sendable {
    let count: Int
    private let buffer: Atomic<UnsafeMutableRawPointer?>
    /// Where the numbers come from when they are first asked for; nil from then on.
    private let origin: Mutex<Origin?>
    /// What convolutions made of these numbers, for as long as they stay as they are.
    private let preparedForms = Mutex<[PreparedWeights.Form: PreparedWeights]>([:])

    private var bytes: Int { max(count, 1) * 4 }

    init(count: Int) {
      self.count = count
      buffer = Atomic(BufferPool.take(bytes: max(count, 1) * 4))
      origin = Mutex(nil)
    }

    init(_ origin: Origin) {
      count = origin.count
      buffer = Atomic(nil)
      self.origin = Mutex(origin)
    }

    deinit {
      if let memory = buffer.load(ordering: .acquiring) { BufferPool.give(memory, bytes: bytes) }
    }

    var pointer: UnsafeMutablePointer<Float> {
      (buffer.load(ordering: .acquiring) ?? arranged()).assumingMemoryBound(to: Float.self)
    }

    /// Where the numbers are, as long as nobody has asked for them in memory's order.
    var stillElsewhere: Origin? {
      buffer.load(ordering: .acquiring) == nil ? origin.withLock { $0 } : nil
    }

    private func arranged() -> UnsafeMutableRawPointer {
      origin.withLock { origin in
        if let memory = buffer.load(ordering: .acquiring) { return memory }
        let memory = BufferPool.take(bytes: bytes)
        origin?.arrange(into: memory.assumingMemoryBound(to: Float.self))
        buffer.store(memory, ordering: .releasing)
        origin = nil
        return memory
      }
    }

    func prepared(_ form: PreparedWeights.Form) -> PreparedWeights? { preparedForms.withLock { $0[form] } }

    func keep(_ prepared: PreparedWeights, _ form: PreparedWeights.Form) {
      preparedForms.withLock { $0[form] = prepared }
    }

    /// Bytes of what is kept of these numbers.
    var preparedBytes: Int { preparedForms.withLock { $0.values.reduce(0) { $0 + $1.bytes } } }

    /// To be called before the numbers change.
    func forgetPrepared() { preparedForms.withLock { if !$0.isEmpty { $0 = [:] } } }
  }

  /// Where the numbers of a tensor are that has no memory yet.
  enum Origin: Sendable {
    /// In a file.
    case weights(DeferredWeights)
    /// In two other tensors.
    case channels(JoinedChannels)

    var count: Int {
      switch self {
      case .weights(let weights): weights.count
      case .channels(let joined): joined.count
      }
    }

    /// Writes all of them, in memory's order.
    func arrange(into target: UnsafeMutablePointer<Float>) {
      switch self {
      case .weights(let weights): weights.arrange(into: target)
      case .channels(let joined): joined.copy(into: target)
      }
    }
  }

  /// Memory without defined content, for a kernel that writes every element.
  package init(uninitialized shape: [Int]) {
    self.shape = shape
    storage = Storage(count: shape.reduce(1, *))
  }

  /// A tensor filled with one value.
  public init(shape: [Int], repeating value: Float = 0) {
    self.init(uninitialized: shape)
    WorkCount.note(floats: count)
    if WorkCount.active == nil { storage.pointer.update(repeating: value, count: count) }
  }

  /// A tensor with given elements, row-major.
  /// - Precondition: as many elements as the shape holds.
  public init(_ values: [Float], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.init(uninitialized: shape)
    values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { storage.pointer.update(from: base, count: count) }
    }
    WorkCount.note(floats: 2 * count)
  }

  /// A tensor whose elements `fill` writes, every one.
  public init(shape: [Int], filledBy fill: (UnsafeMutablePointer<Float>) throws -> Void) rethrows {
    self.init(uninitialized: shape)
    try fill(storage.pointer)
  }

  /// Rows that are made side by side on all threads.
  /// - Parameter row: the elements of a row, `length` of them.
  package init(rows: Int, length: Int, _ row: (Int) -> [Float]) {
    self.init(uninitialized: [rows, length])
    let target = UnsafeAddress(storage.pointer)
    // A number that is made takes as long as many that are copied.
    forEachRange(rows, floats: 16 * length) { some in
      for index in some {
        let values = row(index)
        precondition(values.count == length, "a row of \(values.count) numbers instead of \(length)")
        values.withUnsafeBufferPointer { source in
          guard let base = source.baseAddress else { return }
          copyFloats(base, to: target.pointer + index * length, count: length)
        }
      }
    }
  }

  /// Weights of a convolution, [kernel, kernel, inputs, outputs], which are read when they are needed.
  package init(_ weights: DeferredWeights) {
    let kernel = Int(Double(weights.taps).squareRoot())
    self.init(shape: [kernel, kernel, weights.inputs, weights.outputs], storage: Storage(.weights(weights)))
  }

  /// Images whose channels are joined when they are needed beside each other.
  init(_ joined: JoinedChannels) {
    self.init(
      shape: Array(joined.left.shape.dropLast()) + [joined.left.shape[3] + joined.right.shape[3]],
      storage: Storage(.channels(joined)))
  }

  /// Whether the elements are still elsewhere: in a file, or in tensors that were joined.
  package var isDeferred: Bool { storage.stillElsewhere != nil }

  /// The weights, as long as nobody has asked for them in memory's order.
  var deferred: DeferredWeights? {
    if case .weights(let weights) = storage.stillElsewhere { weights } else { nil }
  }

  /// The two images of `concatenateChannels`, as long as nobody has asked for them in one.
  var joined: JoinedChannels? {
    if case .channels(let joined) = storage.stillElsewhere { joined } else { nil }
  }

  /// Brings the elements into memory's order now, on all threads, where they were not needed in it until now.
  package func settle() { _ = storage.pointer }

  private init(shape: [Int], storage: Storage) {
    self.shape = shape
    self.storage = storage
  }

  /// The elements as an array, row-major.
  public var values: [Float] { withUnsafeBufferPointer { Array($0) } }

  /// The same elements under another shape of equal count; no copy.
  public func reshaped(_ newShape: [Int]) -> Tensor {
    precondition(newShape.reduce(1, *) == count, "cannot view \(shape) as \(newShape)")
    return Tensor(shape: newShape, storage: storage)
  }

  /// Rows `range` of the outermost axis, copied.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
    let stride = shape.dropFirst().reduce(1, *)
    let result = Tensor(uninitialized: [range.count] + shape.dropFirst())
    copyFloats(storage.pointer + range.lowerBound * stride, to: result.storage.pointer, count: result.count)
    return result
  }

  /// Tensors one after the other along the outermost axis; a single one as it is.
  package init(concatenating parts: [Tensor]) {
    precondition(
      !parts.isEmpty && parts.allSatisfy { $0.shape.dropFirst() == parts[0].shape.dropFirst() },
      "\(parts.count) tensors")
    if parts.count == 1 {
      self = parts[0]
      return
    }
    self.init(uninitialized: [parts.reduce(0) { $0 + $1.shape[0] }] + parts[0].shape.dropFirst())
    var offset = 0
    for part in parts {
      copyFloats(part.storage.pointer, to: storage.pointer + offset, count: part.count)
      offset += part.count
    }
  }

  /// Whether nobody else sees this memory.
  var isUnique: Bool {
    mutating get { isKnownUniquelyReferenced(&storage) }
  }

  /// Read access to the elements.
  public func withUnsafeBufferPointer<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(start: storage.pointer, count: count))
  }

  /// Write access to the elements; copies first where memory is shared.
  public mutating func withUnsafeMutableBufferPointer<R>(_ body: (UnsafeMutableBufferPointer<Float>) throws -> R)
    rethrows -> R
  {
    if !isKnownUniquelyReferenced(&storage) {
      let copy = Storage(count: count)
      copyFloats(storage.pointer, to: copy.pointer, count: count)
      storage = copy
    }
    storage.forgetPrepared()
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeMutableBufferPointer(start: storage.pointer, count: count))
  }
}

extension Tensor {
  /// Images in the order of PyTorch, [N, C, H, W], from [N, H, W, C].
  public var nchw: Tensor {
    precondition(shape.count == 4, "[N, H, W, C] expected, found \(shape)")
    return transposedInner(rows: shape[1] * shape[2], columns: shape[3]).reshaped([
      shape[0], shape[3], shape[1], shape[2],
    ])
  }

  /// Images in the order of this package, [N, H, W, C], from [N, C, H, W].
  public var nhwc: Tensor {
    precondition(shape.count == 4, "[N, C, H, W] expected, found \(shape)")
    return transposedInner(rows: shape[1], columns: shape[2] * shape[3]).reshaped([
      shape[0], shape[2], shape[3], shape[1],
    ])
  }

  /// Weights of a convolution, [taps, inputs, outputs], from [outputs, inputs, taps]. On the calling thread.
  package func convolutionWeights(outputs: Int, inputs: Int, taps: Int) -> Tensor {
    precondition(count == outputs * inputs * taps, "\(shape) for \(outputs) x \(inputs) x \(taps) weights")
    let result = Tensor(uninitialized: [taps, inputs, outputs])
    kernels.transpose.convolution(
      outputs: outputs, inputs: 0..<inputs, totalInputs: inputs, taps: taps, pointer, into: result.mutable)
    return result
  }

  /// Transposes each [rows, columns] matrix of a [count, rows, columns] array.
  private func transposedInner(rows: Int, columns: Int) -> Tensor {
    let counted = WorkCount.begin(.channels)
    defer { counted?.end() }
    let result = Tensor(uninitialized: [shape[0], columns, rows])
    let grain = max(16, (1 << 15) / max(columns, 1) / 16 * 16)
    let parts = (rows + grain - 1) / grain
    Threads.forEach(shape[0] * parts) { chunk in
      let (base, first) = (chunk / parts * rows * columns, chunk % parts * grain)
      kernels.transpose.apply(
        rows: first..<min(first + grain, rows), totalRows: rows, columns: columns, pointer + base,
        into: result.mutable + base)
    }
    return result
  }
}

/// Copies floats on the calling thread; where a `WorkCount` is under way, counts them.
@inline(__always) func copyFloats(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
  guard WorkCount.active == nil else { return WorkCount.note(floats: 2 * count) }
  target.update(from: source, count: count)
}
