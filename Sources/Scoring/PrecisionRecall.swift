import Compute
import Diagnostics

/// Improved precision and recall.
public struct PrecisionRecallMetric: MetricDefinition, Equatable {
  /// The neighbour whose distance is the radius around an image.
  public var neighbour = 3
  /// The most images of each side; the first ones count.
  public var limit = 50_000

  /// The defaults.
  public init() {}

  var needs: MetricNeeds { [.features, .referenceFeatures] }

  func scores(of measurement: Measurement) throws -> [Score] {
    let (x, y) = (
      try measurement.features(for: .precisionRecall), try measurement.referenceFeatures(for: .precisionRecall)
    )
    try measurement.require(
      min(x.count, y.count, limit) > neighbour, "neighbour \(neighbour) needs more images than that on each side")
    let result = try precisionAndRecall(x, y, neighbour: neighbour, limit: limit)
    let (scored, real) = (min(x.count, limit), min(y.count, limit))
    func measured(_ name: String, _ value: Double, _ definition: String) -> Score {
      var score = measurement.score(name, value, definition)
      (score.imageCount, score.referenceImageCount) = (scored, real)
      return score
    }
    return [
      measured(
        "precision", result.precision,
        "improved precision: the share of \(scored) scored images within the distance to the neighbour \(neighbour) of one "
          + "of \(real) reference images"),
      measured(
        "recall", result.recall,
        "improved recall: the share of \(real) reference images within the distance to the neighbour \(neighbour) of one of "
          + "\(scored) scored images"),
    ]
  }
}

/// Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991).
///
/// Around each image of a side lies a ball that reaches to its `neighbour`-th nearest image of the same side. Precision is
/// the share of scored images that lie in a ball of the reference, recall the share of reference images in a ball of
/// the scored ones.
///
/// Distances are taken in float32 blocks of features from which the reference's mean was subtracted; memory does not
/// depend on the number of images.
///
/// - Parameters:
///   - x: features of the scored images.
///   - y: features of the reference images.
///   - neighbour: which neighbour; 3 in the paper.
///   - limit: the most images of each side; the first ones count.
package func precisionAndRecall(_ x: any FeatureRows, _ y: any FeatureRows, neighbour: Int, limit: Int) throws -> (
  precision: Double, recall: Double
) {
  let origin = try mean(y, count: min(limit, y.count))
  let scored = Manifold(rows: x, count: min(limit, x.count), origin: origin)
  let real = Manifold(rows: y, count: min(limit, y.count), origin: origin)
  precondition(scored.count > neighbour && real.count > neighbour, "\(scored.count) and \(real.count) images")
  let precision = try scored.share(inside: real, radii: real.squaredRadii(neighbour: neighbour))
  let recall = try real.share(inside: scored, radii: scored.squaredRadii(neighbour: neighbour))
  return (precision, recall)
}

private func mean(_ rows: any FeatureRows, count: Int) throws -> [Float] {
  var sum = [Double](repeating: 0, count: rows.width)
  try rows.forEachBlock(of: Manifold.blockRows, count: count) { _, block in
    let values = block.values
    for row in 0..<block.shape[0] {
      for column in 0..<rows.width { sum[column] += Double(values[row * rows.width + column]) }
    }
  }
  return sum.map { Float($0 / Double(max(count, 1))) }
}

/// The images of one side, by their features.
private struct Manifold {
  let rows: any FeatureRows
  let count: Int
  /// What is subtracted from each feature vector.
  let origin: [Float]

  /// Rows in memory of each side at a time.
  static let blockRows = 2048
  /// Rows whose distances one thread computes at a time.
  private static let stripRows = 128

  private struct Block {
    let first: Int
    let values: Tensor
    let squares: [Float]
  }

  private func block(_ first: Int) throws -> Block {
    try Interruption.check()
    var values = try rows.rows(first..<min(first + Self.blockRows, count))
    let width = rows.width
    var squares = [Float](repeating: 0, count: values.shape[0])
    values.withUnsafeMutableBufferPointer { values in
      for row in squares.indices {
        var sum = 0.0
        for column in 0..<width {
          values[row * width + column] -= origin[column]
          sum += Double(values[row * width + column]) * Double(values[row * width + column])
        }
        squares[row] = Float(sum)
      }
    }
    return Block(first: first, values: values, squares: squares)
  }

  private var firsts: [Int] { Array(stride(from: 0, to: count, by: Self.blockRows)) }

  /// The squared distance of each image to its k-th nearest other one; [count].
  func squaredRadii(neighbour k: Int) throws -> [Float] {
    var radii: [Float] = []
    radii.reserveCapacity(count)
    for first in firsts {
      let own = try block(first)
      // The image itself, at distance zero, stands first.
      var nearest = [Float](repeating: .infinity, count: own.squares.count * (k + 1))
      for other in firsts {
        let theirs = other == first ? own : try block(other)
        nearest.withUnsafeMutableBufferPointer { nearest in
          let nearest = nearest
          Self.forEachRow(own, theirs) { row, distances in
            for column in 0..<theirs.squares.count {
              let isSelf = first + row == other + column
              Self.insert(isSelf ? 0 : distances[column], into: nearest, at: row * (k + 1), count: k + 1)
            }
          }
        }
      }
      for row in own.squares.indices { radii.append(nearest[row * (k + 1) + k]) }
    }
    return radii
  }

  /// The share of these images that lie in at least one ball of the other side.
  func share(inside other: Manifold, radii: [Float]) throws -> Double {
    var inside = 0
    for first in firsts {
      let own = try block(first)
      var isInside = [Bool](repeating: false, count: own.squares.count)
      for start in other.firsts {
        let theirs = try other.block(start)
        isInside.withUnsafeMutableBufferPointer { isInside in
          let isInside = isInside
          Self.forEachRow(own, theirs) { row, distances in
            if isInside[row] { return }
            for column in 0..<theirs.squares.count where distances[column] <= radii[start + column] {
              isInside[row] = true
              return
            }
          }
        }
      }
      inside += isInside.count { $0 }
    }
    return Double(inside) / Double(count)
  }

  /// Calls `body` with each row of `a` and its squared distances to the rows of `b`, on several threads.
  private static func forEachRow(_ a: Block, _ b: Block, _ body: (Int, UnsafePointer<Float>) -> Void) {
    let (rows, columns, depth) = (a.squares.count, b.squares.count, a.values.shape[1])
    Threads.forEach((rows + stripRows - 1) / stripRows) { strip in
      let first = strip * stripRows
      let count = min(stripRows, rows - first)
      withScratch(count * columns) { distances in
        MatrixProduct.multiply(
          rows: count, columns: columns, depth: depth, a.values.pointer + first * depth, depth, b.values.pointer,
          depth, transposeB: true, into: distances, columns)
        for row in 0..<count {
          let line = distances + row * columns
          for column in 0..<columns {
            line[column] = max(a.squares[first + row] - 2 * line[column] + b.squares[column], 0)
          }
          body(first + row, line)
        }
      }
    }
  }

  private static func insert(_ value: Float, into list: UnsafeMutableBufferPointer<Float>, at start: Int, count: Int) {
    guard value < list[start + count - 1] else { return }
    var place = start + count - 1
    while place > start, list[place - 1] > value {
      list[place] = list[place - 1]
      place -= 1
    }
    list[place] = value
  }
}
