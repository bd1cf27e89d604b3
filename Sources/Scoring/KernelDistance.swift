import Compute
import Diagnostics

/// The kernel distance over random subsets.
public struct KernelMetric: MetricDefinition, Equatable {
  /// Subsets.
  public var subsets = 100
  /// Images of each side in a subset; fewer where there are fewer.
  public var subsetSize = 1000

  /// The defaults.
  public init() {}

  var needs: MetricNeeds { [.features, .referenceFeatures] }

  func scores(of measurement: Measurement) throws -> [Score] {
    let (x, y) = (try measurement.features(for: .kid), try measurement.referenceFeatures(for: .kid))
    try measurement.require(min(x.count, y.count) >= 2, "a kernel distance needs at least 2 images of each side")
    let result = try kernelDistance(x, y, subsets: subsets, size: subsetSize, seed: measurement.settings.seed)
    var score = measurement.score(
      "kid", result.mean,
      "kernel distance: unbiased squared maximum mean discrepancy under (x.y/D + 1)^3, mean over \(subsets) random subsets "
        + "of \(result.size) of \(measurement.images) and as many of \(measurement.referenceImages)")
    score.uncertainty = Score.Uncertainty(
      kind: .standardDeviation, value: result.deviation, origin: "standard deviation over the \(subsets) subsets")
    return [score]
  }
}

/// The kernel distance (KID): the squared maximum mean discrepancy of features under the kernel (x.y / D + 1)^3, without
/// bias (Binkowski et al. 2018, arXiv 1801.01401).
///
/// - Parameters:
///   - x: the features of some images, [m, D].
///   - y: those of as many others, [m, D].
/// - Returns: the estimate of these images; it may be negative.
package func kernelDistance(_ x: Tensor, _ y: Tensor) -> Double {
  let m = x.shape[0]
  precondition(m >= 2 && y.shape == x.shape, "subsets of shape \(x.shape) and \(y.shape)")
  let (xx, yy, xy) = (kernelSums(x, x), kernelSums(y, y), kernelSums(x, y))
  let within = (xx.all - xx.diagonal + yy.all - yy.diagonal) / Double(m - 1)
  return (within - 2 * xy.all / Double(m)) / Double(m)
}

/// The kernel distance over random subsets.
///
/// - Parameters:
///   - x: features of the scored images.
///   - y: features of the reference images.
///   - subsets: how many.
///   - size: images of each side, at most as many as there are.
///   - seed: of the draws, without replacement inside a subset.
/// - Returns: mean and standard deviation (divided by their number) over the subsets, and the images of a subset.
private func kernelDistance(
  _ x: any FeatureRows, _ y: any FeatureRows, subsets: Int, size: Int, seed: UInt64
) throws -> (mean: Double, deviation: Double, size: Int) {
  let size = min(size, x.count, y.count)
  let generator = Philox(seed: seed)
  let values = try (0..<subsets).map { subset in
    try Interruption.check()
    let places = [x.count, y.count].enumerated().map { side, count in
      drawWithoutReplacement(size, of: count, generator, stream: UInt32(2 * subset + side))
    }
    return kernelDistance(try x.rows(at: places[0]), try y.rows(at: places[1]))
  }
  let (mean, deviation) = meanAndDeviation(values)
  return (mean, deviation, size)
}

/// `size` different numbers below `count`, by Fisher and Yates.
private func drawWithoutReplacement(_ size: Int, of count: Int, _ generator: Philox, stream: UInt32) -> [Int] {
  precondition(size <= count, "\(size) of \(count)")
  var order = Array(0..<count)
  for place in 0..<size {
    order.swapAt(place, place + generator.integer(below: count - place, stream: (UInt64(place), stream)))
  }
  return Array(order.prefix(size))
}

/// Sums of the kernel over all pairs of rows, and over the pairs of a row with itself.
private func kernelSums(_ x: Tensor, _ y: Tensor) -> (all: Double, diagonal: Double) {
  let (rows, columns, depth) = (x.shape[0], y.shape[0], x.shape[1])
  let strip = 128
  let strips = (rows + strip - 1) / strip
  var sums = [(all: Double, diagonal: Double)](repeating: (0, 0), count: strips)
  sums.withUnsafeMutableBufferPointer { sums in
    let sums = sums
    Threads.forEach(strips) { index in
      let first = index * strip
      let count = min(strip, rows - first)
      withScratch(count * columns) { products in
        MatrixProduct.multiply(
          rows: count, columns: columns, depth: depth, x.pointer + first * depth, depth, y.pointer, depth,
          transposeB: true, into: products, columns)
        for row in 0..<count {
          var sum = 0.0
          for column in 0..<columns {
            let base = Double(products[row * columns + column]) / Double(depth) + 1
            let kernel = base * base * base
            sum += kernel
            if column == first + row { sums[index].diagonal += kernel }
          }
          sums[index].all += sum
        }
      }
    }
  }
  return sums.reduce((0, 0)) { ($0.0 + $1.all, $0.1 + $1.diagonal) }
}
