import Compute
import Diagnostics

/// A normal distribution fitted to features.
public struct NormalDistribution: Sendable {
  /// The mean, [D].
  public let mean: [Double]
  /// The covariance, [D, D], row-major and symmetric.
  public let covariance: [Double]
  private let factor: CovarianceFactor

  /// The rank of the covariance: how many directions have variance that stands out of rounding noise.
  public var rank: Int { factor.rank }

  /// - Parameters:
  ///   - mean: [D].
  ///   - covariance: [D, D], row-major and symmetric.
  /// - Throws: a `Failure` where a number is not finite.
  public init(mean: [Double], covariance: [Double]) throws {
    precondition(covariance.count == mean.count * mean.count, "a covariance of \(mean.count) dimensions")
    guard mean.allSatisfy(\.isFinite), covariance.allSatisfy(\.isFinite) else {
      throw Failure(.dataError, "Frechet distance", "the statistics hold numbers that are not finite")
    }
    (self.mean, self.covariance) = (mean, covariance)
    factor = try CovarianceFactor(covariance, size: mean.count)
  }

  /// The squared Frechet distance to another one (Dowson & Landau 1982; Heusel et al. 2017, arXiv 1706.08500).
  ///
  /// |m1 - m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2). With S1 = F^T F the last trace is the sum of the square roots of the
  /// eigenvalues of F S2 F^T, which is symmetric: no general matrix square root, and covariances may be singular. F is
  /// that of the covariance of lower rank, so that no eigenvalue is rounding noise around zero.
  public func frechetDistance(to other: NormalDistribution) throws -> Double {
    precondition(other.mean.count == mean.count, "distributions of \(mean.count) and \(other.mean.count) dimensions")
    let root =
      rank < other.rank ? try factor.traceOfRoot(other.covariance) : try other.factor.traceOfRoot(covariance)
    let shift = zip(mean, other.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return shift + trace + other.trace - 2 * root
  }

  private var trace: Double { mean.indices.reduce(0) { $0 + covariance[$1 * mean.count + $1] } }
}

/// The squared Frechet distance between two normal distributions; see `NormalDistribution`.
///
/// - Parameters:
///   - a: a mean [D] and a covariance [D, D], row-major and symmetric.
///   - b: the other; the result is the same the other way round up to rounding.
/// - Throws: a `Failure` where a number is not finite or LAPACK fails.
public func frechetDistance(
  _ a: (mean: [Double], covariance: [Double]), _ b: (mean: [Double], covariance: [Double])
) throws -> Double {
  let both = try Threads.map([a, b]) { pair throws(any Error) in
    try NormalDistribution(mean: pair.mean, covariance: pair.covariance)
  }
  return try both[0].frechetDistance(to: both[1])
}

/// The rank of a covariance: how many directions have variance that stands out of rounding noise.
/// - Parameter covariance: [size, size], symmetric and finite.
public func covarianceRank(_ covariance: [Double], size: Int) throws -> Int {
  try CovarianceFactor(covariance, size: size).rank
}
