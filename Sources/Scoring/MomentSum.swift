import COpenBLAS
import Compute

/// Count, mean and sum of squared deviations of some rows, and how two of them become one (Chan, Golub & LeVeque 1979).
struct MomentSum: Sendable, Equatable {
  /// The number of rows.
  var count = 0
  /// Their mean, [D].
  var mean: [Double]
  /// Their sum of squared deviations, [D, D], row-major, the upper triangle.
  var scatter: [Double]

  /// The length D of a row.
  var featureCount: Int { mean.count }

  init(featureCount: Int) {
    _ = LinearAlgebra.isSingleThreaded
    mean = [Double](repeating: 0, count: featureCount)
    scatter = [Double](repeating: 0, count: featureCount * featureCount)
  }

  /// Adds rows, [rows, D], centred on their own mean first.
  mutating func add(_ block: [Double]) {
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
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, size, blasint(rows), 1, centred, size, 1, &scatter, size)
    join(count: rows, mean: blockMean)
  }

  /// Adds other rows by their moments.
  mutating func add(_ other: MomentSum) {
    precondition(other.featureCount == featureCount, "moments of \(other.featureCount) and \(featureCount) features")
    for place in scatter.indices { scatter[place] += other.scatter[place] }
    join(count: other.count, mean: other.mean)
  }

  /// Takes in the mean of rows whose scatter has been added.
  private mutating func join(count rows: Int, mean other: [Double]) {
    let total = Double(count + rows)
    let difference = zip(other, mean).map { $0 - $1 }
    if count > 0 {
      let weight = Double(count) * Double(rows) / total
      let size = blasint(featureCount)
      cblas_dsyr(CblasRowMajor, CblasUpper, size, weight, difference, 1, &scatter, size)
    }
    for column in 0..<featureCount { mean[column] += difference[column] * (Double(rows) / total) }
    count += rows
  }
}

extension MomentSum {
  /// Numbers of the packed form.
  static func packedCount(featureCount: Int) -> Int { 1 + featureCount + featureCount * (featureCount + 1) / 2 }

  /// Count, mean and the upper triangle row by row, in one line of numbers.
  var packed: [Double] {
    var line = [Double(count)] + mean
    line.reserveCapacity(Self.packedCount(featureCount: featureCount))
    for row in 0..<featureCount { line += scatter[row * featureCount + row..<(row + 1) * featureCount] }
    return line
  }

  /// From the packed form; nil where the numbers cannot be moments.
  init?(packed line: [Double], featureCount: Int) {
    guard line.count == Self.packedCount(featureCount: featureCount), line.allSatisfy(\.isFinite),
      let count = Int(exactly: line[0]), count > 0
    else { return nil }
    self.init(featureCount: featureCount)
    self.count = count
    mean = Array(line[1...featureCount])
    var place = 1 + featureCount
    for row in 0..<featureCount {
      for column in row..<featureCount {
        scatter[row * featureCount + column] = line[place]
        place += 1
      }
    }
  }
}
