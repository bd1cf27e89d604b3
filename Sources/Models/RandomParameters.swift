import Compute

/// Parameters drawn from a seed, for measurements: no layer is at zero, as it would be before a training.
///
/// Weights have the standard deviation 1/sqrt(fan-in), biases 0.1, the weights of norms 1 +- 0.2 and the frequencies of a
/// Fourier embedding 16. A tensor is drawn when it is read, as a function of seed and place alone.
public struct RandomParameters: TensorSource {
  private let specifications: [ParameterSpecification]
  private let places: [String: Int]
  private let generator: Philox

  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - seed: any number.
  ///   - origin: the file or name that errors name.
  /// - Throws: a `Failure` naming the option of the architecture that is not known.
  public init(for configuration: NetworkConfiguration, seed: UInt64, origin: String) throws {
    specifications = try Network.specifications(of: configuration, origin: origin)
    places = Dictionary(specifications.enumerated().map { ($1.name, $0) }) { first, _ in first }
    generator = Philox(seed: seed)
  }

  /// Every parameter and buffer but those that follow from the architecture.
  public var tensorNames: [String] { specifications.filter { !$0.isDerived }.map(\.name) }

  /// The shape of one parameter; nil for what is not drawn.
  public func shape(of name: String) -> [Int]? {
    places[name].flatMap { specifications[$0].isDerived ? nil : specifications[$0].shape }
  }

  /// Draws one parameter.
  /// - Precondition: the architecture has it.
  public func tensor(_ name: String) throws -> Tensor {
    guard let place = places[name] else { preconditionFailure("no parameter \"\(name)\"") }
    let specification = specifications[place]
    let (mean, deviation) = distribution(of: specification)
    var tensor = Tensor(shape: specification.shape)
    if WorkCount.isUnderWay { return tensor }
    let chunk = 1 << 16
    tensor.withUnsafeMutableBufferPointer { values in
      let values = values
      Threads.forEach((values.count + chunk - 1) / chunk) { index in
        let range = index * chunk..<min((index + 1) * chunk, values.count)
        let normals = generator.normals(range.count, stream: (UInt64(place), UInt32(index)))
        for (position, normal) in zip(range, normals) { values[position] = mean + deviation * normal }
      }
    }
    return tensor
  }

  private func distribution(of specification: ParameterSpecification) -> (mean: Float, deviation: Float) {
    switch specification.layout {
    case .buffer: return (0, 16)
    case .attentionBias: return (0, 0.1)
    case .vector: return specification.name.hasSuffix(".bias") ? (0, 0.1) : (1, 0.2)
    case .linear, .convolution, .attentionConvolution:
      return (0, 1 / Float(specification.shape.dropFirst().reduce(1, *)).squareRoot())
    }
  }
}

extension Network {
  /// A network of random parameters.
  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - seed: of its parameters; see `RandomParameters`.
  ///   - origin: the name that errors name.
  /// - Throws: a `Failure` naming the option of the architecture that is not known.
  public init(configuration: NetworkConfiguration, randomSeed seed: UInt64, origin: String) throws {
    try self.init(
      configuration: configuration, source: RandomParameters(for: configuration, seed: seed, origin: origin),
      origin: origin)
  }
}
