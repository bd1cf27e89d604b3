/// The elements of a denoising loss, counted and added up over some images, all and by noise level.
///
/// An element is weight * (D - y)^2 of one number of one image, without the loss's scale: what EDM's trainer logs.
public struct LossStatistics: Sendable, Equatable {
  /// Where one range of noise levels ends and the next begins.
  public static let edges: [Float] = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]

  /// Elements, their sum and the sum of their squares; then elements and sum of each range of noise levels.
  public private(set) var sums: [Double]

  /// Nothing yet.
  public init() { sums = Array(repeating: 0, count: 3 + 2 * (Self.edges.count + 1)) }

  /// Of numbers that another one gave; nil where they are too few or too many, or no counts.
  public init?(sums: [Double]) {
    guard sums.count == LossStatistics().sums.count, sums.allSatisfy({ $0 >= 0 }) else { return nil }
    self.sums = sums
  }

  mutating func add(elements: Int, sum: Double, squares: Double, sigma: Float) {
    sums[0] += Double(elements)
    sums[1] += sum
    sums[2] += squares
    let range = Self.edges.count { $0 <= sigma }
    sums[3 + 2 * range] += Double(elements)
    sums[4 + 2 * range] += sum
  }

  /// Adds what was counted of other images.
  public mutating func add(_ other: LossStatistics) {
    for index in sums.indices { sums[index] += other.sums[index] }
  }

  /// How many elements.
  public var count: Double { sums[0] }

  /// Their mean; 0 of none.
  public var mean: Double { count > 0 ? sums[1] / count : 0 }

  /// Their standard deviation; 0 of none.
  public var deviation: Double { count > 0 ? max(0, sums[2] / count - mean * mean).squareRoot() : 0 }

  /// The ranges of noise levels that were seen, with the elements of each and their mean.
  public var byLevel: [(name: String, count: Double, mean: Double)] {
    (0...Self.edges.count).compactMap { range in
      let (count, sum) = (sums[3 + 2 * range], sums[4 + 2 * range])
      guard count > 0 else { return nil }
      let lower = range > 0 ? "\(Self.edges[range - 1])" : "0"
      let upper = range < Self.edges.count ? "\(Self.edges[range])" : "inf"
      return ("\(lower)-\(upper)", count, sum / count)
    }
  }
}
