import Compute
import Diagnostics

/// Count, mean and scatter of feature vectors, gathered in double precision and constant memory.
///
/// Rows are taken in blocks of 512, blocks in segments of 4,096, and segments are added one after the other, each centred
/// on its own mean first, so that nothing is lost to the size of the mean. Blocks and segments follow from the order of
/// the rows alone: how the rows were handed over, and whether the work was interrupted, does not change a bit of the
/// result; and machines that took whole segments each give, put together in order, the bits of one that took them all.
public struct FeatureMoments: Sendable, Equatable {
  /// The length D of a feature vector.
  public var featureCount: Int { total.featureCount }
  /// The rows of complete segments.
  private(set) var total: MomentSum
  /// The rows of complete blocks after them.
  private(set) var segment: MomentSum
  /// Rows of the block that is not complete, [rows, D].
  private(set) var pending: [Double] = []
  /// Complete segments that nobody has taken yet; only where they are asked for.
  private var finished: [MomentSum] = []
  private let keepsSegments: Bool

  /// Rows of a block.
  static let blockRows = 512
  /// Rows of a segment.
  public static let segmentRows = 4096

  /// No rows yet.
  public init(featureCount: Int) { self.init(featureCount: featureCount, keepsSegments: false) }

  /// - Parameter keepsSegments: whether complete segments are handed out by `takeSegments`.
  init(featureCount: Int, keepsSegments: Bool) {
    precondition(featureCount > 0, "features of length \(featureCount)")
    total = MomentSum(featureCount: featureCount)
    segment = total
    self.keepsSegments = keepsSegments
  }

  /// Continues from a saved state; sizes have been checked.
  init(total: MomentSum, segment: MomentSum, pending: [Double], keepsSegments: Bool) {
    precondition(
      total.featureCount == segment.featureCount && pending.count % total.featureCount == 0
        && pending.count < Self.blockRows * total.featureCount, "moments of another size")
    (self.total, self.segment, self.pending, self.keepsSegments) = (total, segment, pending, keepsSegments)
  }

  /// The number of rows.
  public var count: Int { total.count + segment.count + pending.count / featureCount }

  /// Takes rows of features.
  ///
  /// - Parameters:
  ///   - features: [N, D].
  ///   - repetitions: how often each row counts; nil for once each.
  public mutating func add(_ features: Tensor, repetitions: [Int]? = nil) {
    precondition(features.shape.count == 2 && features.shape[1] == featureCount, "\(features.shape) of \(featureCount)")
    precondition(repetitions.map { $0.count == features.shape[0] } ?? true, "repetitions of other rows")
    let (values, width) = (features.values, featureCount)
    for row in 0..<features.shape[0] {
      for _ in 0..<(repetitions?[row] ?? 1) {
        for column in 0..<width { pending.append(Double(values[row * width + column])) }
        if pending.count == Self.blockRows * width { closeBlock() }
      }
    }
  }

  /// The complete segments since the last call, and at the end the incomplete one.
  /// - Parameter last: whether no more rows come.
  mutating func takeSegments(last: Bool) -> [MomentSum] {
    var result = finished
    finished = []
    if last {
      var rest = segment
      if !pending.isEmpty { rest.add(pending) }
      if rest.count > 0 { result.append(rest) }
    }
    return result
  }

  /// All rows in one.
  var whole: MomentSum {
    var (whole, rest) = (total, segment)
    if !pending.isEmpty { rest.add(pending) }
    if rest.count > 0 { whole.add(rest) }
    return whole
  }

  /// The statistics of all rows; the covariance is divided by N - 1.
  /// - Precondition: at least two rows.
  /// - Returns: the mean [D] and the covariance [D, D].
  public func statistics() -> (mean: [Double], covariance: [Double]) { whole.statistics() }

  private mutating func closeBlock() {
    segment.add(pending)
    pending.removeAll(keepingCapacity: true)
    guard segment.count == Self.segmentRows else { return }
    total.add(segment)
    if keepsSegments { finished.append(segment) }
    segment = MomentSum(featureCount: featureCount)
  }
}

extension MomentSum {
  /// The mean [D], and the covariance [D, D] divided by N - 1.
  func statistics() -> (mean: [Double], covariance: [Double]) {
    precondition(count >= 2, "a covariance of \(count) rows")
    let scale = 1 / Double(count - 1)
    var covariance = scatter
    for row in 0..<featureCount {
      for column in row..<featureCount {
        let value = scatter[row * featureCount + column] * scale
        covariance[row * featureCount + column] = value
        covariance[column * featureCount + row] = value
      }
    }
    return (mean, covariance)
  }
}
