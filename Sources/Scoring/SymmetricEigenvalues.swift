import COpenBLAS
import Diagnostics

/// The eigenvalues of a symmetric matrix, in ascending order, by LAPACK's two-stage reduction: to a band by matrix
/// products, then to three diagonals.
///
/// - Parameter matrix: [n, n], row-major; the upper triangle is read.
/// - Throws: a `Failure` where the iteration does not converge; `Interrupted` before it, not within.
func symmetricEigenvalues(_ matrix: [Double], size n: Int) throws -> [Double] {
  precondition(matrix.count == n * n, "\(matrix.count) elements of a \(n)x\(n) matrix")
  try Interruption.check()
  guard n > 0 else { return [] }
  var a = matrix
  var values = [Double](repeating: 0, count: n)
  var work: [Double] = [0]
  var integerWork: [Int32] = [0]
  var info: Int32 = 0
  var size = Int32(n)
  func call(_ workSize: Int, _ integerSize: Int) {
    var workSize = Int32(clamping: workSize)
    var integerSize = Int32(clamping: integerSize)
    var job = CChar(bitPattern: UInt8(ascii: "N"))
    // LAPACK counts by columns: its lower triangle is our upper one.
    var triangle = CChar(bitPattern: UInt8(ascii: "L"))
    dsyevd_2stage_(&job, &triangle, &size, &a, &size, &values, &work, &workSize, &integerWork, &integerSize, &info)
  }
  // Asks how much working memory is best, then does the work.
  call(-1, -1)
  let (workSize, integerSize) = (Int(work[0]), Int(integerWork[0]))
  work = [Double](repeating: 0, count: workSize)
  integerWork = [Int32](repeating: 0, count: integerSize)
  call(workSize, integerSize)
  guard info == 0 else {
    throw Failure(.software, "eigenvalues of a \(n)x\(n) matrix", "LAPACK's dsyevd did not converge (info \(info))")
  }
  return values
}
