import COpenBLAS
import Compute
import Diagnostics

/// Count, mean and scatter of feature vectors, gathered in double precision and constant memory.
///
/// Rows are taken in blocks of a fixed number; each block is centred on its own mean and then merged (Chan, Golub &
/// LeVeque 1979), so that nothing is lost to the size of the mean. The blocks follow from the order of the rows alone:
/// how the rows were handed over, and whether the work was interrupted, does not change a bit of the result.
public struct FeatureMoments: Sendable, Equatable {
  /// The length D of a feature vector.
  public let featureCount: Int
  /// The rows of complete blocks.
  private(set) var blockedCount = 0
  /// Their mean, [D].
  private(set) var mean: [Double]
  /// Their sum of squared deviations, [D, D], row-major, the upper triangle.
  private(set) var scatter: [Double]
  /// Rows of the block that is not complete, [rows, D].
  private(set) var pending: [Double] = []

  /// Rows of a block.
  static let blockRows = 512

  /// No rows yet.
  public init(featureCount: Int) {
    precondition(featureCount > 0, "features of length \(featureCount)")
    self.featureCount = featureCount
    mean = [Double](repeating: 0, count: featureCount)
    scatter = [Double](repeating: 0, count: featureCount * featureCount)
  }

  /// Continues from a saved state; sizes have been checked.
  init(featureCount: Int, blockedCount: Int, mean: [Double], scatter: [Double], pending: [Double]) {
    precondition(
      mean.count == featureCount && scatter.count == featureCount * featureCount
        && pending.count % featureCount == 0 && pending.count < Self.blockRows * featureCount,
      "moments of another size")
    (self.featureCount, self.blockedCount, self.mean, self.scatter) = (featureCount, blockedCount, mean, scatter)
    self.pending = pending
  }

  /// The number of rows.
  public var count: Int { blockedCount + pending.count / featureCount }

  /// Takes rows of features.
  ///
  /// - Parameters:
  ///   - features: [N, D].
  ///   - repetitions: how often each row counts; nil for once each.
  public mutating func add(_ features: Tensor, repetitions: [Int]? = nil) {
    precondition(features.shape.count == 2 && features.shape[1] == featureCount, "\(features.shape) of \(featureCount)")
    precondition(repetitions.map { $0.count == features.shape[0] } ?? true, "repetitions of other rows")
    let values = features.values
    for row in 0..<features.shape[0] {
      for _ in 0..<(repetitions?[row] ?? 1) {
        for column in 0..<featureCount { pending.append(Double(values[row * featureCount + column])) }
        if pending.count == Self.blockRows * featureCount {
          merge(pending)
          pending.removeAll(keepingCapacity: true)
        }
      }
    }
  }

  /// The statistics of all rows; the covariance is divided by N - 1.
  /// - Precondition: at least two rows.
  /// - Returns: the mean [D] and the covariance [D, D].
  public func statistics() -> (mean: [Double], covariance: [Double]) {
    precondition(count >= 2, "a covariance of \(count) rows")
    var whole = self
    if !pending.isEmpty { whole.merge(pending) }
    let scale = 1 / Double(count - 1)
    var covariance = whole.scatter
    for row in 0..<featureCount {
      for column in row..<featureCount {
        let value = whole.scatter[row * featureCount + column] * scale
        covariance[row * featureCount + column] = value
        covariance[column * featureCount + row] = value
      }
    }
    return (whole.mean, covariance)
  }

  /// Merges a block of rows, [rows, D].
  private mutating func merge(_ block: [Double]) {
    let rows = block.count / featureCount
    let size = blasint(featureCount)
    var blockMean = [Double](repeating: 0, count: featureCount)
    var centred = block
    for row in 0..<rows {
      for column in 0..<featureCount { blockMean[column] += block[row * featureCount + column] }
    }
    for column in 0..<featureCount { blockMean[column] /= Double(rows) }
    for row in 0..<rows {
      for column in 0..<featureCount { centred[row * featureCount + column] -= blockMean[column] }
    }
    cblas_dsyrk(
      CblasRowMajor, CblasUpper, CblasTrans, size, blasint(rows), 1, centred, size, 1, &scatter, size)
    let total = Double(blockedCount + rows)
    let difference = zip(blockMean, mean).map { $0 - $1 }
    if blockedCount > 0 {
      let weight = Double(blockedCount) * Double(rows) / total
      cblas_dsyr(CblasRowMajor, CblasUpper, size, weight, difference, 1, &scatter, size)
    }
    for column in 0..<featureCount { mean[column] += difference[column] * (Double(rows) / total) }
    blockedCount += rows
  }
}
