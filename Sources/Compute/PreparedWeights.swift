import KernelInterface
import Synchronization

/// The weights of a convolution in the form that its kernel reads: transformed, and packed into panels.
///
/// Made from a tensor and kept with its memory: they go when the tensor is written or freed, so they live exactly as long
/// as the weights stand still. Above `WeightCache.limitBytes` they live for one call.
final class PreparedWeights: Sendable {
  /// What the weights were prepared for.
  enum Form: Hashable, Sendable {
    /// Winograd tiles; of the gradient with respect to the input if `adjoint`.
    case winograd(WinogradFilter, adjoint: Bool)
    /// The panels of the [kernel * kernel * inputs, outputs] matrix.
    case product(adjoint: Bool)
  }

  private let storage: Tensor.Storage
  private let reservedBytes: Int

  /// The panels.
  var pointer: UnsafePointer<Float> { UnsafePointer(storage.pointer) }

  /// The memory they take.
  var bytes: Int { storage.count * 4 }

  private init(_ storage: Tensor.Storage, reservedBytes: Int) {
    (self.storage, self.reservedBytes) = (storage, reservedBytes)
  }

  deinit { WeightCache.release(reservedBytes) }

  /// The weights in a form, from the cache or made now.
  ///
  /// - Parameters:
  ///   - weight: [kernel, kernel, inputs, outputs].
  ///   - count: floats of the prepared weights.
  ///   - make: fills them.
  static func of(_ weight: Tensor, _ form: Form, count: Int, make: (UnsafeMutablePointer<Float>) -> Void)
    -> PreparedWeights
  {
    if let found = weight.storage.prepared(form) { return found }
    let storage = Tensor.Storage(count: count)
    make(storage.pointer)
    let bytes = count * 4
    guard WeightCache.reserve(bytes) else { return PreparedWeights(storage, reservedBytes: 0) }
    let result = PreparedWeights(storage, reservedBytes: bytes)
    weight.storage.keep(result, form)
    return result
  }
}

/// The memory that prepared weights may take between calls.
///
/// Preparing costs a pass over the weights and the writing of four times their size for each call of a layer, which is
/// little where many images go through at once.
public enum WeightCache {
  /// What sampling keeps at most unless told otherwise: all weights of networks of about 100 million parameters.
  public static let samplingLimitBytes = 3 << 30
  /// What training keeps at most unless told otherwise: its weights change with every step, and memory is better spent on
  /// images.
  public static let trainingLimitBytes = 128 << 20

  private static let limit = Atomic<Int>(.max)
  private static let used = Atomic<Int>(0)

  /// Bytes that may be kept; all weights unless set.
  public static var limitBytes: Int {
    get { limit.load(ordering: .relaxed) }
    set { limit.store(max(newValue, 0), ordering: .relaxed) }
  }

  static func reserve(_ bytes: Int) -> Bool {
    let total = used.wrappingAdd(bytes, ordering: .relaxed).newValue
    if total <= limitBytes { return true }
    release(bytes)
    return false
  }

  static func release(_ bytes: Int) { used.wrappingSubtract(bytes, ordering: .relaxed) }
}
