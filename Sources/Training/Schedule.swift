import Foundation

/// A number that follows the images seen: a learning rate, or the factor of one.
///
/// A base, times a linear ramp at the start, times a decay at the end.
public struct Schedule: Sendable {
  /// How the number falls.
  public enum Decay: Sendable, Equatable {
    /// Along a line.
    case linear
    /// Along half a period of the cosine.
    case cosine
  }

  /// The number without ramp and decay.
  public var base: Double
  /// Images over which it rises linearly from 0; 0 for none.
  public private(set) var rampImages = 0.0
  private var decay: (shape: Decay, start: Double, end: Double, final: Double)?

  /// The same number for ever.
  public static func constant(_ base: Double) -> Schedule { Schedule(base: base) }

  /// With a factor of min(images / ramp, 1), as EDM's trainer has it (Karras et al. 2022, arXiv 2206.00364).
  public func ramped(images: Double) -> Schedule {
    var schedule = self
    schedule.rampImages = images
    return schedule
  }

  /// Falls between two points, in thousands of images, to a share of itself, and stays there.
  ///
  /// - Parameters:
  ///   - shape: along which curve.
  ///   - start, end: thousands of images; where the end is not behind the start nothing falls.
  ///   - final: the share that is left.
  public func decaying(_ shape: Decay, fromKimg start: Double, toKimg end: Double, final: Double) -> Schedule {
    var schedule = self
    schedule.decay = end > start ? (shape, start, end, final) : nil
    return schedule
  }

  /// The number after `images` images.
  public func callAsFunction(afterImages images: Int) -> Double {
    let ramp = rampImages > 0 ? min(Double(images) / rampImages, 1) : 1
    guard let decay else { return base * ramp }
    let progress = min(max((Double(images) / 1000 - decay.start) / (decay.end - decay.start), 0), 1)
    let fallen =
      switch decay.shape {
      case .linear: progress
      case .cosine: (1 - cos(.pi * progress)) / 2
      }
    return base * (ramp * (1 - (1 - decay.final) * fallen))
  }
}
