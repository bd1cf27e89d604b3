import Compute
import Diagnostics

/// How latents and classes follow from a seed.
public enum RandomConvention: String, Sendable, CaseIterable {
  /// As the official script draws them on a CPU: MT19937, one generator per seed.
  case torchCPU = "torch-cpu"

  /// Refuses seeds that the convention does not know.
  /// - Throws: a `Failure` (`usage`) naming the largest seed.
  public func validate(_ seeds: SeedList) throws {
    guard seeds.largest < 1 << 32 else {
      throw Failure(
        .usage, "--seeds", "seed \(seeds.largest) does not exist with --rng \(rawValue)",
        remedy: "use seeds below 4294967296")
    }
  }
}

/// Which class an image gets.
public enum ClassChoice: Sendable, Equatable, CustomStringConvertible {
  /// Drawn from the image's own seed.
  case random
  /// The seed modulo the number of classes: as many images of each class, from any range of seeds.
  case balanced
  /// The same for every image.
  case fixed(Int)

  /// Reads "random", "balanced" or a class number.
  public init?(_ text: String) {
    if text == "random" {
      self = .random
    } else if text == "balanced" {
      self = .balanced
    } else if let number = Int(text), number >= 0 {
      self = .fixed(number)
    } else {
      return nil
    }
  }

  /// "random", "balanced" or the number.
  public var description: String {
    switch self {
    case .random: "random"
    case .balanced: "balanced"
    case .fixed(let number): "\(number)"
    }
  }

  /// Refuses a class that the network does not have.
  /// - Throws: a `Failure` (`usage`).
  public func validate(labelDim: Int, network: String) throws {
    guard self == .random || labelDim > 0 else {
      throw Failure(.usage, "--class \(self)", "\(network) has no classes", remedy: "leave --class out")
    }
    guard case .fixed(let number) = self else { return }
    guard number < labelDim else {
      throw Failure(.usage, "--class \(number)", "\(network) has classes 0 to \(labelDim - 1)")
    }
  }
}

/// Where the images of some seeds start: each a function of its own seed alone.
public struct Latents: Sendable {
  /// Standard normals, [N, H, W, C].
  public let noise: Tensor
  /// The class of each image; nil for a network without classes.
  public let classes: [Int]?
  private let labelDim: Int

  /// Draws the latents of `seeds` in the convention `torch-cpu`.
  ///
  /// Each seed has a generator of its own. It gives the latents in the order [C, H, W], then the class, which is drawn
  /// even where `choice` overrides it.
  /// - Parameters:
  ///   - seeds: one per image; only the low 32 bits count.
  ///   - imageShape: [H, W, C].
  ///   - labelDim: number of classes; 0 for none.
  ///   - choice: which class an image gets.
  public init(seeds: [UInt64], imageShape: [Int], labelDim: Int, choice: ClassChoice = .random) {
    precondition(imageShape.count == 3, "[H, W, C] expected, found \(imageShape)")
    let count = imageShape.reduce(1, *)
    var values: [Float] = []
    values.reserveCapacity(seeds.count * count)
    var classes: [Int] = []
    for seed in seeds {
      var generator = TorchCPUGenerator(seed: seed)
      values += generator.normals(count)
      guard labelDim > 0 else { continue }
      let drawn = generator.integers(1, below: labelDim)[0]
      switch choice {
      case .random: classes.append(drawn)
      case .balanced: classes.append(Int(seed % UInt64(labelDim)))
      case .fixed(let number): classes.append(number)
      }
    }
    noise = Tensor(values, shape: [seeds.count, imageShape[2], imageShape[0], imageShape[1]]).nhwc
    self.classes = labelDim > 0 ? classes : nil
    self.labelDim = labelDim
  }

  /// The classes as one-hot rows, [N, labelDim]; nil for a network without classes.
  public var classLabels: Tensor? {
    guard let classes else { return nil }
    var values = [Float](repeating: 0, count: classes.count * labelDim)
    for (row, number) in classes.enumerated() { values[row * labelDim + number] = 1 }
    return Tensor(values, shape: [classes.count, labelDim])
  }
}
