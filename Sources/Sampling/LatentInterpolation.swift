import Compute
import Diagnostics
import Foundation
import OptionValues

/// Images between those of two seeds: the latents move along a great circle (spherical interpolation, Shoemake 1985), the
/// class stays.
///
/// The first and the last latents are those of the seeds themselves, so the ends of the strip are the images that a sampler
/// makes of the two seeds.
public struct LatentInterpolation: Sendable, Equatable {
  /// The seed of the first image.
  public let first: UInt64
  /// The seed of the last image.
  public let last: UInt64
  /// The class of all images; nil for a network without classes.
  public let classIndex: Int?
  /// Images of the strip, both ends included; at least 2.
  public let frames: Int

  /// - Parameters: as the properties.
  public init(from first: UInt64, to last: UInt64, classIndex: Int?, frames: Int) {
    precondition(frames >= 2, "\(frames) frames; two are the ends")
    (self.first, self.last, self.classIndex, self.frames) = (first, last, classIndex, frames)
  }

  /// The images of the strip.
  ///
  /// - Parameters:
  ///   - denoiser: the network.
  ///   - sampler: from latents to images; one that draws fresh noise has no strip.
  ///   - convention: how latents follow from a seed.
  ///   - batch: images in one evaluation; does not change the result.
  ///   - beforeBatch: called before each batch; throwing ends the work.
  /// - Returns: bytes, [frames, H, W, C].
  /// - Throws: a `Failure`: `usage` for a class or seed that there is not, or a sampler that draws fresh noise; `dataError`
  ///   where the network gives numbers that are not finite. What `beforeBatch` throws.
  public func images(
    _ denoiser: some Denoiser, sampler: Sampler, convention: RandomConvention, batch: Int = 8,
    beforeBatch: () throws -> Void = {}
  ) throws -> [UInt8] {
    guard !sampler.drawsFreshNoise else {
      throw Failure(.usage, "--s-churn", "a sampler that draws fresh noise does not lead from one image to another")
    }
    if let classIndex, !(0..<denoiser.labelDim).contains(classIndex) {
      throw Failure(.usage, "class \(classIndex)", "the network has \(denoiser.labelDim) classes")
    }
    let choice = classIndex.map { ClassChoice.fixed($0) } ?? .random
    try choice.validate(labelDim: denoiser.labelDim, network: "the network")
    try convention.validate(SeedList("\(first),\(last)"))
    let ends = Latents(
      seeds: [first, last], imageShape: denoiser.imageShape, labelDim: denoiser.labelDim, choice: choice,
      convention: convention)
    let size = denoiser.imageShape.reduce(1, *)
    let values = ends.noise.values
    let (a, b) = (Array(values[..<size]), Array(values[size...]))
    var result: [UInt8] = []
    for start in stride(from: 0, to: frames, by: max(1, batch)) {
      try beforeBatch()
      let range = start..<min(start + max(1, batch), frames)
      let noise = range.flatMap { Self.slerp(a, b, Double($0) / Double(frames - 1)) }
      let latents = Latents(
        noise: Tensor(noise, shape: [range.count] + denoiser.imageShape),
        classes: ends.classes.map { Array(repeating: $0[0], count: range.count) }, labelDim: denoiser.labelDim)
      guard let images = sampler.images(denoiser, latents) else {
        throw Failure(.dataError, "the network", "its images between seeds \(first) and \(last) are not finite")
      }
      result += images
    }
    return result
  }

  /// sin((1 - t) w) / sin w a + sin(t w) / sin w b, w the angle between a and b; exactly a at 0 and b at 1.
  ///
  /// Vectors that point the same way, or opposite ways, have no great circle of their own: the straight line is taken.
  package static func slerp(_ a: [Float], _ b: [Float], _ t: Double) -> [Float] {
    if t <= 0 { return a }
    if t >= 1 { return b }
    var (aa, bb, ab) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      aa += Double(x) * Double(x)
      bb += Double(y) * Double(y)
      ab += Double(x) * Double(y)
    }
    let cosine = aa > 0 && bb > 0 ? max(-1, min(1, ab / (aa * bb).squareRoot())) : 1
    let angle = acos(cosine)
    let sine = sin(angle)
    let (p, q) = sine > 1e-6 ? (sin((1 - t) * angle) / sine, sin(t * angle) / sine) : (1 - t, t)
    return zip(a, b).map { Float(p * Double($0) + q * Double($1)) }
  }
}
