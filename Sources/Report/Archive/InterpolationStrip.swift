import Compute
import Diagnostics
import Files
import Images
import Models
import Sampling

/// Images between two of an archive, made by its network.
struct InterpolationStrip: Sendable {
  let interpolation: LatentInterpolation
  let pictures: [Picture]

  /// The most evaluations of the network for all strips.
  static let mostEvaluations = 10_000

  /// Makes strips between images of an archive.
  ///
  /// - Parameters:
  ///   - look: the archive.
  ///   - path: its network; it has to be the one that the archive names.
  ///   - strips: how many.
  ///   - frames: images of each, both ends included.
  ///   - progressed: called before each batch with the strips that are done; throwing ends the work.
  /// - Throws: a `Failure` where the network cannot be read or is another one, or what `progressed` throws.
  static func between(
    _ look: ArchiveLook, network path: String, strips: Int, frames: Int, progressed: (Int) throws -> Void
  ) throws -> [InterpolationStrip] {
    guard let origin = look.origin else {
      throw Failure(.dataError, look.path, "it does not say what it was made from")
    }
    guard [1, 3].contains(look.shape.channels) else {
      throw Failure(.dataError, look.path, "images of \(look.shape.channels) channels have no picture")
    }
    guard origin.inputs["network"]?.sha256 == (try SHA256.hexDigest(ofFile: path)) else {
      throw Failure(
        .dataError, path, "it is not the network of the archive, \(origin.inputs["network"]?.path ?? "unknown")",
        remedy: "give the network whose SHA-256 the archive names")
    }
    let recipe = try SampleRecipe(origin: origin, archive: look.path)
    if let mode = origin.options["kernels"].flatMap({ KernelMode(rawValue: $0) }) { KernelSet.use(mode) }
    guard recipe.sampler.evaluations * frames * strips <= mostEvaluations else {
      throw Failure(.usage, look.path, "\(strips) strips would take more than \(mostEvaluations) evaluations")
    }
    let network = try Network(contentsOf: path, deferringWeights: true)
    guard network.imageShape == [look.shape.height, look.shape.width, look.shape.channels] else {
      throw Failure(.dataError, look.path, "its images are not of the network's shape \(network.imageShape)")
    }
    try recipe.sampler.validate(sigmaRange: network.sigmaRange, network: path)
    WeightCache.limitBytes = WeightCache.samplingLimitBytes
    // As much memory as a few images of 64x64 pixels take.
    let batch = max(1, min(16, 8 * 64 * 64 / max(1, look.shape.height * look.shape.width)))
    var result: [InterpolationStrip] = []
    for (number, pair) in look.seedPairs(strips).enumerated() {
      let interpolation = LatentInterpolation(
        from: pair.from.seed, to: pair.to.seed, classIndex: network.labelDim > 0 ? pair.from.label : nil, frames: frames
      )
      let images = try interpolation.images(
        network, sampler: recipe.sampler, convention: recipe.convention, batch: batch,
        beforeBatch: { try progressed(number) })
      let size = look.shape.count
      result.append(
        InterpolationStrip(
          interpolation: interpolation,
          pictures: try (0..<frames).map { try Picture(images[$0 * size..<($0 + 1) * size], shape: look.shape) }))
    }
    return result
  }
}
