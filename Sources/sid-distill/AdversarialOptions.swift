import ArgumentParser
import Distillation
import OptionValues
import Stage

/// The adversarial loss beside SiD's (SiDA, arXiv 2410.14919). Its official names stand in the help.
struct AdversarialOptions: ParsableArguments {
  private static let published = AdversarialSettings()

  @Flag(
    help:
      "Train with an adversarial loss beside SiD's, and real images: the fake score's encoder tells them from generated ones. The micro-batch is part of the recipe then: the published one is 32 images, or 64. (--use_gan)"
  )
  var adversarial = false

  @Option(help: "The real images, with class labels where the teacher has classes: a data set (EDM zip). (--data)")
  var dataset: String?

  @Option(
    DistillValues.discriminatorLossScale,
    help: "Factor of the discriminator's loss. (--lsd; default: \(Self.published.discriminatorLossScale))")
  var discriminatorLossScale: Float?

  @Option(
    DistillValues.adversarialLossScale,
    help: "Factor of the generator's adversarial loss. (--lsg_gan; default: \(Self.published.adversarialLossScale))")
  var adversarialLossScale: Float?

  @Option(
    DistillValues.generatorStartKimg,
    help:
      "Thousands of images before the generator learns; the fake score and its discriminator learn from the start. (default: \(Self.published.generatorStartKimg))"
  )
  var generatorStartKimg: Double?

  @Option(
    DistillValues.adversarialStartKimg,
    help:
      "Thousands of images before the adversarial loss joins SiD's, both halved then. (default: \(Self.published.adversarialStartKimg))"
  )
  var adversarialStartKimg: Double?

  @Option(
    DistillValues.gradientClip,
    help:
      "The largest size of an element of the fake score's gradient over a batch; inf for no limit. (default: \(Self.published.gradientClip ?? .infinity))"
  )
  var gradientClip: Float?

  @Option(
    DistillValues.adversarialGroup, as: AdversarialSettings.Group.self,
    help:
      "The images whose cross-entropy is averaged before it is weighted: those of a micro-batch, as published, or each by itself, which depends on no micro-batch. (default: microbatch)"
  )
  var adversarialGroup: AdversarialSettings.Group?

  /// The settings as given; nil without the adversarial loss.
  var settings: AdversarialSettings? {
    guard adversarial else { return nil }
    var s = Self.published
    s.discriminatorLossScale = discriminatorLossScale ?? s.discriminatorLossScale
    s.adversarialLossScale = adversarialLossScale ?? s.adversarialLossScale
    s.generatorStartKimg = generatorStartKimg ?? s.generatorStartKimg
    s.adversarialStartKimg = adversarialStartKimg ?? s.adversarialStartKimg
    if let gradientClip { s.gradientClip = gradientClip.isInfinite ? nil : gradientClip }
    s.group = adversarialGroup ?? s.group
    return s
  }

  /// Whether an option of them is given, by its name.
  func has(_ name: String) -> Bool {
    switch name {
    case "dataset": dataset != nil
    case DistillValues.discriminatorLossScale.name: discriminatorLossScale != nil
    case DistillValues.adversarialLossScale.name: adversarialLossScale != nil
    case DistillValues.generatorStartKimg.name: generatorStartKimg != nil
    case DistillValues.adversarialStartKimg.name: adversarialStartKimg != nil
    case DistillValues.gradientClip.name: gradientClip != nil
    case DistillValues.adversarialGroup.name: adversarialGroup != nil
    default: false
    }
  }

  /// What changes the result, by option name, for the provenance: nothing without the adversarial loss.
  var record: [String: String] {
    guard let settings else { return [:] }
    var options = [
      "adversarial": "true", "discriminator-loss-scale": "\(settings.discriminatorLossScale)",
      "adversarial-loss-scale": "\(settings.adversarialLossScale)",
      "generator-start-kimg": "\(settings.generatorStartKimg)",
      "adversarial-start-kimg": "\(settings.adversarialStartKimg)", "adversarial-group": settings.group.rawValue,
    ]
    // States of versions that had no such option are those of the default.
    if settings.gradientClip != Self.published.gradientClip {
      options["gradient-clip"] = "\(settings.gradientClip ?? .infinity)"
    }
    return options
  }
}
