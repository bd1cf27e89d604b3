import Foundation

/// The exponential moving average of a network's parameters, as EDM's and SiD's trainers keep it.
public struct MovingAverage: Sendable, Equatable {
  /// Images after which an old value counts half.
  public var halfLifeImages: Double
  /// The half-life as a share of the images seen so far, while that is shorter; nil for none.
  public var rampupRatio: Double?

  /// - Parameters:
  ///   - halfLifeImages: images after which an old value counts half.
  ///   - rampupRatio: the half-life as a share of the images seen so far, while that is shorter.
  public init(halfLifeImages: Double, rampupRatio: Double?) {
    (self.halfLifeImages, self.rampupRatio) = (halfLifeImages, rampupRatio)
  }

  /// The weight of the old average when it is updated; 0 replaces it.
  ///
  /// beta = 0.5^(batch / max(min(half-life, images * ramp-up), 1e-8)), images counted before the iteration.
  public func beta(batch: Int, beforeImages images: Int) -> Double {
    let halfLife = rampupRatio.map { min(halfLifeImages, Double(images) * $0) } ?? halfLifeImages
    return exp2(-Double(batch) / max(halfLife, 1e-8))
  }
}
