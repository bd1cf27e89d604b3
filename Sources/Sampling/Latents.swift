import Compute
import Diagnostics
import OptionValues

/// Where the images of some seeds start: each a function of its own seed alone.
public struct Latents: Sendable {
  /// Standard normals, [N, H, W, C].
  public let noise: Tensor
  /// The class of each image; nil for a network without classes.
  public let classes: [Int]?
  private let labelDim: Int
  /// The generators after latents and class; empty unless they were to be kept.
  let draws: [SeedDraws]

  /// Draws the latents of `seeds`.
  ///
  /// Each seed has a generator of its own. It gives the latents in the order [C, H, W], then the class, which is drawn
  /// even where `choice` overrides it.
  /// - Parameters:
  ///   - seeds: one per image.
  ///   - imageShape: [H, W, C].
  ///   - labelDim: number of classes; 0 for none.
  ///   - choice: which class an image gets.
  ///   - listed: the classes of a labels file, one per image.
  ///   - convention: how they follow from a seed.
  ///   - keepingGenerators: for a sampler that draws fresh noise.
  public init(
    seeds: [UInt64], imageShape: [Int], labelDim: Int, choice: ClassChoice = .random, listed: [Int]? = nil,
    convention: RandomConvention = .torchCPU, keepingGenerators: Bool = false
  ) {
    precondition(imageShape.count == 3, "[H, W, C] expected, found \(imageShape)")
    let count = imageShape.reduce(1, *)
    var values: [Float] = []
    values.reserveCapacity(seeds.count * count)
    var classes: [Int] = []
    var draws: [SeedDraws] = []
    for (row, seed) in seeds.enumerated() {
      var generator = SeedDraws(convention, seed: seed)
      values += generator.latents(count)
      if labelDim > 0 {
        let drawn = generator.classIndex(below: labelDim)
        classes.append(choice.number(seed: seed, drawn: drawn, labelDim: labelDim, listed: listed?[row]))
      }
      if keepingGenerators { draws.append(generator) }
    }
    noise = Tensor(values, shape: [seeds.count, imageShape[2], imageShape[0], imageShape[1]]).nhwc
    self.classes = labelDim > 0 ? classes : nil
    self.labelDim = labelDim
    self.draws = draws
  }

  /// Latents that were not drawn from seeds.
  /// - Parameters:
  ///   - noise: [N, H, W, C].
  ///   - classes: one for each image, below `labelDim`; nil for a network without classes.
  ///   - labelDim: number of classes.
  init(noise: Tensor, classes: [Int]?, labelDim: Int) {
    (self.noise, self.classes, self.labelDim, draws) = (noise, classes, labelDim, [])
  }

  /// The classes as one-hot rows, [N, labelDim]; nil for a network without classes.
  public var classLabels: Tensor? {
    classes.map { oneHot($0, classes: labelDim) }
  }

  /// Fresh standard normals for one step, row-major in the shape of `noise`.
  static func freshNoise(_ draws: inout [SeedDraws], step: Int, shape: [Int]) -> [Double] {
    let (pixels, channels) = (shape[1] * shape[2], shape[3])
    var result = [Double](repeating: 0, count: shape.reduce(1, *))
    for row in draws.indices {
      let values = draws[row].noise(step: step, pixels * channels)
      for pixel in 0..<pixels {
        for channel in 0..<channels {
          result[(row * pixels + pixel) * channels + channel] = values[channel * pixels + pixel]
        }
      }
    }
    return result
  }
}
