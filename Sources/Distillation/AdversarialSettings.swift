/// What an adversarial loss beside SiD's has, by the paper's names (SiDA, Zhou et al. 2024, arXiv 2410.14919); the defaults
/// are the official trainer's.
public struct AdversarialSettings: Codable, Sendable, Equatable {
  /// The images over which a cross-entropy is averaged before it is weighted.
  public enum Group: String, Codable, Sendable {
    /// All of a micro-batch, as in the paper: results depend on its size.
    case microbatch
    /// Each image by itself, as SiD-DiT has it (arXiv 2509.25127): both losses count every value of an image, the
    /// discriminator's has no weight of the noise level, and all logits are clamped.
    case image
  }

  /// Factor of the discriminator's loss.
  public var discriminatorLossScale: Float = 1
  /// Factor of the generator's adversarial loss.
  public var adversarialLossScale: Float = 0.01
  /// The generator learns in iterations before which more images than that were seen, in thousands.
  public var generatorStartKimg = 100.0
  /// The generator's objective is half SiD's loss and half the adversarial one in iterations before which more images than
  /// that were seen, in thousands; SiD's alone, not halved, before.
  public var adversarialStartKimg = 200.0
  /// The largest size of an element of the fake score's gradient, of a whole batch; nil for no limit.
  public var gradientClip: Float? = 1
  /// The images over which a cross-entropy is averaged.
  public var group = Group.microbatch

  /// The official trainer's.
  public init() {}

  /// The weights of SiD's loss and of the adversarial one where `images` were seen before the iteration.
  public func weights(afterImages images: Int) -> (distillation: Float, adversarial: Float) {
    images > Self.images(adversarialStartKimg) ? (0.5, 0.5) : (1, 0)
  }

  /// The images that must be exceeded before the generator learns.
  public var generatorStartImages: Int { Self.images(generatorStartKimg) }

  private static func images(_ kimg: Double) -> Int { Int((kimg * 1000).rounded()) }
}
