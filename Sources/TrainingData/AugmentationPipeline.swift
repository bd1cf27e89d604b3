import Compute
import Foundation

/// EDM's augmentation of training images: flips, then one affine map of scale, rotation, stretching and translation, each
/// applied with some probability (Karras et al. 2022, arXiv 2206.00364, appendix F.2, table 6).
///
/// The network is told what was done in the augmentation labels, so that its images without labels are free of it.
public struct AugmentationPipeline: Sendable {
  /// Probability of each transformation, times its factor below.
  public var probability: Float
  /// Factor of the mirroring left to right; it has half a chance of changing nothing, and happens always.
  public var xFlip: Float = 1e8
  /// Factor of the mirroring top to bottom.
  public var yFlip: Float = 1
  /// Factor of the scaling by 2^(0.2 w), w normal.
  public var scale: Float = 1
  /// Factor of the rotation by an even angle.
  public var rotation: Float = 1
  /// Factor of the stretching by 2^(0.2 w), w normal, along an even angle or, in half of the cases, along the axes.
  public var anisotropy: Float = 1
  /// Factor of the translation by normal shares of an eighth of the image.
  public var translation: Float = 1

  /// EDM's pipeline.
  public init(probability: Float) { self.probability = probability }

  /// Augmentation labels of an image; transformations whose factor is 0 have none.
  public var labelCount: Int {
    [(xFlip, 1), (yFlip, 1), (scale, 1), (rotation, 2), (anisotropy, 2), (translation, 2)]
      .reduce(0) { $0 + ($1.0 > 0 ? $1.1 : 0) }
  }

  /// What the draws do to the images that are augmented together.
  /// - Parameters:
  ///   - draws: one for each image.
  ///   - imageShape: height, width, channels.
  public func callAsFunction(_ draws: [AugmentationDraws], imageShape: [Int]) -> Augmentation {
    let (height, width) = (imageShape[0], imageShape[1])
    let images = draws.map { image($0, height: Double(height), width: Double(width)) }
    let warps = images.map(\.warp)
    let isGeometric = max(scale, rotation, anisotropy, translation) > 0
    return Augmentation(
      labels: Tensor(images.flatMap(\.labels), shape: [draws.count, labelCount]), warps: warps,
      padding: isGeometric ? ReflectPadding(covering: warps, height: height, width: width) : nil)
  }

  private func image(_ d: AugmentationDraws, height: Double, width: Double) -> (warp: ImageWarp, labels: [Float]) {
    func isActive(_ factor: Float, _ chance: Float) -> Bool { chance < factor * probability }
    var warp = ImageWarp()
    var labels: [Double] = []
    if xFlip > 0 {
      warp.flipsX = d.xFlip && isActive(xFlip, d.xFlipChance)
      labels.append(warp.flipsX ? 1 : 0)
    }
    if yFlip > 0 {
      warp.flipsY = d.yFlip && isActive(yFlip, d.yFlipChance)
      labels.append(warp.flipsY ? 1 : 0)
    }
    if scale > 0 {
      let w = isActive(scale, d.scaleChance) ? Double(d.scale) : 0
      warp.source = warp.source * .scale(exp2(-0.2 * w), exp2(-0.2 * w))
      labels.append(w)
    }
    if rotation > 0 {
      let angle = isActive(rotation, d.rotationChance) ? Self.angle(d.rotation) : 0
      warp.source = warp.source * .rotation(angle)
      labels += [cos(angle) - 1, sin(angle)]
    }
    if anisotropy > 0 {
      let w = isActive(anisotropy, d.anisotropyChance) ? Double(d.anisotropy) : 0
      let angle = d.anisotropyAngleChance < 0.5 ? Self.angle(d.anisotropyAngle) : 0
      let stretch = AffineMap.scale(exp2(-0.2 * w), exp2(0.2 * w))
      warp.source = warp.source * .rotation(-angle) * stretch * .rotation(angle)
      labels += [w * cos(angle), w * sin(angle)]
    }
    if translation > 0 {
      let active = isActive(translation, d.translationChance)
      let (x, y) = active ? (Double(d.translation.x), Double(d.translation.y)) : (0, 0)
      warp.source = warp.source * .translation(-0.125 * width * x, -0.125 * height * y)
      labels += [x, y]
    }
    return (warp, labels.map(Float.init))
  }

  /// (2u - 1) pi.
  private static func angle(_ uniform: Float) -> Double { (2 * Double(uniform) - 1) * .pi }
}

/// What is done to the images of a micro-batch.
public struct Augmentation: Sendable {
  /// What the network is told, [N, labels].
  public let labels: Tensor
  let warps: [ImageWarp]
  /// Nil where images are mirrored at most and not resampled.
  package let padding: ReflectPadding?

  /// Applies it to images [N, H, W, C]; an image's bytes depend on its own warp and on the padding.
  public func callAsFunction(_ images: Tensor) -> Tensor {
    guard let padding else { return flipped(images, warps) }
    return warped(images, warps, padding: padding)
  }

  /// What is done to some of the images, with the padding of all.
  public func images(_ range: Range<Int>) -> Augmentation {
    Augmentation(labels: labels.rows(range), warps: Array(warps[range]), padding: padding)
  }
}
