import COpenBLAS
import Diagnostics

/// The squared Frechet distance between two normal distributions (Dowson & Landau 1982; Heusel et al. 2017,
/// arXiv 1706.08500).
///
/// |m1 - m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2). The last trace is the sum of the square roots of the eigenvalues of
/// sqrt(S1) S2 sqrt(S1), which is symmetric: no general matrix square root, and covariances may be singular. It is
/// taken in the space that the covariance of lower rank spans, where no eigenvalue is rounding noise around zero.
///
/// - Parameters:
///   - a: a mean [D] and a covariance [D, D], row-major and symmetric.
///   - b: the other; the result is the same the other way round up to rounding.
/// - Throws: a `Failure` where a number is not finite or LAPACK fails.
public func frechetDistance(
  _ a: (mean: [Double], covariance: [Double]), _ b: (mean: [Double], covariance: [Double])
) throws -> Double {
  let size = a.mean.count
  precondition(
    b.mean.count == size && a.covariance.count == size * size && b.covariance.count == size * size,
    "distributions of \(size) and \(b.mean.count) dimensions")
  guard (a.mean + a.covariance + b.mean + b.covariance).allSatisfy({ $0.isFinite }) else {
    throw Failure(.dataError, "Frechet distance", "the statistics hold numbers that are not finite")
  }
  let first = try principalFactor(a.covariance, size: size)
  let second = try principalFactor(b.covariance, size: size)
  let root =
    first.rank <= second.rank
    ? try traceOfRoot(first, b.covariance, size: size) : try traceOfRoot(second, a.covariance, size: size)
  let shift = zip(a.mean, b.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let traces = (0..<size).reduce(0) { $0 + a.covariance[$1 * size + $1] + b.covariance[$1 * size + $1] }
  return shift + traces - 2 * root
}

/// The rank of a covariance: how many eigenvalues stand out of rounding noise.
/// - Parameter covariance: [size, size], symmetric and finite.
public func covarianceRank(_ covariance: [Double], size: Int) throws -> Int {
  try principalFactor(covariance, size: size).rank
}

/// F with F^T F = S, its rows the eigenvectors times the roots of their eigenvalues; those without variance left out.
private struct PrincipalFactor {
  let rank: Int
  /// [rank, size].
  let rows: [Double]
}

private func principalFactor(_ covariance: [Double], size: Int) throws -> PrincipalFactor {
  let eigen = try SymmetricEigen.decompose(covariance, size: size, withVectors: true)
  // What dsyevd cannot tell from zero.
  let noise = Double(size) * .ulpOfOne * max(eigen.values.last ?? 0, 0)
  let first = eigen.values.firstIndex { $0 > noise } ?? size
  var rows = Array(eigen.vectors[(first * size)...])
  for row in 0..<(size - first) {
    let root = eigen.values[first + row].squareRoot()
    for column in 0..<size { rows[row * size + column] *= root }
  }
  return PrincipalFactor(rank: size - first, rows: rows)
}

/// tr sqrt(F S F^T): the sum of the roots of the eigenvalues of sqrt(F^T F) S sqrt(F^T F).
private func traceOfRoot(_ factor: PrincipalFactor, _ covariance: [Double], size: Int) throws -> Double {
  let rank = factor.rank
  guard rank > 0 else { return 0 }
  var product = [Double](repeating: 0, count: rank * size)
  cblas_dgemm(
    CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(rank), blasint(size), blasint(size), 1, factor.rows,
    blasint(size), covariance, blasint(size), 0, &product, blasint(size))
  var inner = [Double](repeating: 0, count: rank * rank)
  cblas_dgemm(
    CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rank), blasint(rank), blasint(size), 1, product, blasint(size),
    factor.rows, blasint(size), 0, &inner, blasint(rank))
  for row in 0..<rank {
    for column in 0..<row {
      let mean = (inner[row * rank + column] + inner[column * rank + row]) / 2
      inner[row * rank + column] = mean
      inner[column * rank + row] = mean
    }
  }
  let values = try SymmetricEigen.decompose(inner, size: rank, withVectors: false).values
  return values.reduce(0) { $0 + max($1, 0).squareRoot() }
}
