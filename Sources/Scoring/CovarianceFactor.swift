import COpenBLAS
import Compute
import Diagnostics

/// F with F^T F = S for a covariance S: its Cholesky factor, and where S is singular the pivoted one, which stops at the
/// rank.
struct CovarianceFactor: Sendable {
  /// The length D of a feature vector.
  let size: Int
  /// How many directions have variance that stands out of rounding noise.
  let rank: Int
  /// [rank, size], row-major; upper triangular where the rank is full.
  private let rows: [Double]

  /// - Parameter covariance: [size, size], symmetric and finite.
  init(_ covariance: [Double], size: Int) throws {
    _ = LinearAlgebra.isSingleThreaded
    self.size = size
    let largest = (0..<size).reduce(0) { max($0, covariance[$1 * size + $1]) }
    // What arithmetic cannot tell from zero.
    let noise = Double(size) * .ulpOfOne * largest
    if let whole = try Self.factor(covariance, size: size, noise: noise) {
      (rank, rows) = (size, whole)
    } else {
      (rank, rows) = try Self.pivotedFactor(covariance, size: size, noise: noise)
    }
  }

  /// tr sqrt(F T F^T) for another covariance T: the sum of the roots of the eigenvalues of S T.
  func traceOfRoot(_ other: [Double]) throws -> Double {
    guard rank > 0 else { return 0 }
    let values = try symmetricEigenvalues(rank == size ? congruent(other) : projected(other), size: rank)
    return values.reduce(0) { $0 + max($1, 0).squareRoot() }
  }

  /// The upper triangular factor; nil where a direction has no variance.
  private static func factor(_ covariance: [Double], size: Int, noise: Double) throws -> [Double]? {
    guard size > 0, noise > 0 else { return nil }
    var a = covariance
    var n = Int32(size)
    var info: Int32 = 0
    var triangle = CChar(bitPattern: UInt8(ascii: "L"))
    dpotrf_(&triangle, &n, &a, &n, &info)
    guard info == 0, (0..<size).allSatisfy({ a[$0 * size + $0] * a[$0 * size + $0] > noise }) else { return nil }
    return a
  }

  private static func pivotedFactor(_ covariance: [Double], size: Int, noise: Double) throws -> (Int, [Double]) {
    guard noise > 0 else { return (0, []) }
    var a = covariance
    var n = Int32(size)
    var (info, rank): (Int32, Int32) = (0, 0)
    var tolerance = noise
    var pivots = [Int32](repeating: 0, count: size)
    var work = [Double](repeating: 0, count: 2 * size)
    var triangle = CChar(bitPattern: UInt8(ascii: "L"))
    dpstrf_(&triangle, &n, &a, &n, &pivots, &rank, &tolerance, &work, &info)
    guard info >= 0 else { throw Failure(.software, "covariance", "LAPACK's dpstrf refuses it (info \(info))") }
    var rows = [Double](repeating: 0, count: Int(rank) * size)
    for row in 0..<Int(rank) {
      for column in row..<size { rows[row * size + Int(pivots[column]) - 1] = a[row * size + column] }
    }
    return (Int(rank), rows)
  }

  /// F T F^T by LAPACK's congruence, for a triangular F; the upper triangle.
  private func congruent(_ other: [Double]) throws -> [Double] {
    var result = other
    var n = Int32(size)
    var (kind, info): (Int32, Int32) = (2, 0)
    var triangle = CChar(bitPattern: UInt8(ascii: "L"))
    dsygst_(&kind, &triangle, &n, &result, &n, rows, &n, &info)
    guard info == 0 else { throw Failure(.software, "covariance", "LAPACK's dsygst refuses it (info \(info))") }
    return result
  }

  /// F T F^T in the space that the covariance spans, [rank, rank].
  private func projected(_ other: [Double]) -> [Double] {
    var product = [Double](repeating: 0, count: rank * size)
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(rank), blasint(size), blasint(size), 1, rows, blasint(size),
      other, blasint(size), 0, &product, blasint(size))
    var inner = [Double](repeating: 0, count: rank * rank)
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rank), blasint(rank), blasint(size), 1, product, blasint(size),
      rows, blasint(size), 0, &inner, blasint(rank))
    for row in 0..<rank {
      for column in row..<rank {
        inner[row * rank + column] = (inner[row * rank + column] + inner[column * rank + row]) / 2
      }
    }
    return inner
  }
}
