import Foundation

/// A straight line through the falling part of a curve on log-log axes: FD = c kimg^slope, the exponential fall of the
/// logarithms that the paper shows (Zhou et al. 2024, arXiv 2404.04057, figure 1).
public struct PowerLawFit: Sendable, Equatable {
  /// d log FD / d log kimg; negative where the distance falls.
  public let slope: Double
  /// The distance at 1 kimg, c.
  public let distanceAtOneKimg: Double
  /// The share of the variance of log FD that the line explains, 0 to 1.
  public let determination: Double
  /// Where the falling part begins and ends, in thousands of images.
  public let kimg: ClosedRange<Double>
  /// Evaluations in it.
  public let pointCount: Int

  /// What the slope is, in words.
  public static let definition =
    "slope of the least-squares line of log(Frechet distance) over log(thousands of images), through the evaluations from "
    + "the one with the largest distance to the one with the smallest, the start left out"

  /// Fits the falling part: from the largest distance (the last of equals) to the smallest (the first of equals) after it,
  /// among the points with kimg > 0 and fd > 0, in the order of their kimg.
  /// - Returns: nil where that are fewer than three points.
  public init?(_ curve: EvaluationCurve) {
    let usable = curve.points.filter { $0.kimg > 0 && $0.fd > 0 && $0.kimg.isFinite && $0.fd.isFinite }
      .sorted { $0.kimg < $1.kimg }
    guard let largest = usable.map(\.fd).max(), let first = usable.lastIndex(where: { $0.fd == largest }) else {
      return nil
    }
    let rest = usable[first...]
    guard let smallest = rest.map(\.fd).min(), let last = rest.firstIndex(where: { $0.fd == smallest }),
      last - first >= 2
    else { return nil }
    let part = usable[first...last]
    let (x, y) = (part.map { log($0.kimg) }, part.map { log($0.fd) })
    let count = Double(part.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xx, xy, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xx += (a - meanX) * (a - meanX)
      xy += (a - meanX) * (b - meanY)
      yy += (b - meanY) * (b - meanY)
    }
    guard xx > 0, yy > 0 else { return nil }
    slope = xy / xx
    distanceAtOneKimg = exp(meanY - slope * meanX)
    determination = xy * xy / (xx * yy)
    kimg = usable[first].kimg...usable[last].kimg
    pointCount = part.count
  }

  /// The fitted distance after so many thousands of images.
  public func distance(atKimg kimg: Double) -> Double { distanceAtOneKimg * pow(kimg, slope) }
}
