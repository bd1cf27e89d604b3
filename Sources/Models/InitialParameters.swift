import Compute

/// Parameters of a network that has learned nothing yet, as EDM's trainer begins (Karras et al. 2022, arXiv 2206.00364).
///
/// SongUNet's weights are uniform by Glorot & Bengio's rule, those behind which a block begins as the identity all but zero,
/// its biases zero; DhariwalUNet's weights and biases are uniform in +-1/sqrt(fan-in), and what ends a block is zero. A
/// tensor is drawn when it is read, as a function of seed and place alone.
public struct InitialParameters: TensorSource {
  /// How the elements of one tensor are drawn.
  package enum Distribution: Equatable {
    /// All the same.
    case constant(Float)
    /// Even within the bound on both sides of 0.
    case uniform(Float)
    /// Normal, of this standard deviation.
    case normal(Float)
  }

  private let specifications: [ParameterSpecification]
  private let places: [String: Int]
  private let isSong: Bool
  private let generator: Philox

  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - seed: any number.
  ///   - origin: the file or name that errors name.
  /// - Throws: a `Failure` naming the option of the architecture that is not known.
  public init(for configuration: NetworkConfiguration, seed: UInt64, origin: String) throws {
    specifications = try Network.specifications(of: configuration, origin: origin)
    places = Dictionary(specifications.enumerated().map { ($1.name, $0) }) { first, _ in first }
    isSong = configuration.modelType == "SongUNet"
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
    let distribution = distribution(of: specifications[place])
    var tensor = Tensor(shape: specifications[place].shape)
    let chunk = 1 << 16
    tensor.withUnsafeMutableBufferPointer { values in
      let values = values
      Threads.forEach((values.count + chunk - 1) / chunk) { index in
        let range = index * chunk..<min((index + 1) * chunk, values.count)
        // Apart from the streams of a training, whose tags are small.
        let stream = (UInt64(place), 0x8000_0000 | UInt32(index))
        switch distribution {
        case .constant(let value): for position in range { values[position] = value }
        case .uniform(let bound):
          let draws = generator.uniforms(range.count, stream: stream)
          for (position, draw) in zip(range, draws) { values[position] = (2 * draw - 1) * bound }
        case .normal(let deviation):
          let draws = generator.normals(range.count, stream: stream)
          for (position, draw) in zip(range, draws) { values[position] = deviation * draw }
        }
      }
    }
    return tensor
  }

  /// How a parameter is drawn. Fans are channels times the kernel's area; a bias has that of its layer.
  package func distribution(of specification: ParameterSpecification) -> Distribution {
    let parts = specification.name.split(separator: ".")
    let (layer, isBias) = (parts.dropLast().last.map(String.init) ?? "", parts.last == "bias")
    if specification.layout == .buffer { return .normal(16) }
    if layer.hasPrefix("norm") || layer.hasSuffix("_norm") { return .constant(isBias ? 0 : 1) }
    return isSong ? song(specification, layer, isBias) : dhariwal(specification, layer, isBias)
  }

  private func song(_ specification: ParameterSpecification, _ layer: String, _ isBias: Bool) -> Distribution {
    if isBias { return .constant(0) }
    let (fanIn, fanOut) = fans(specification.shape)
    let bound = (6 / Double(fanIn + fanOut)).squareRoot()
    switch layer {
    case "conv1", "proj": return .uniform(Float(bound * 1e-5))
    case "qkv": return .uniform(Float(bound * 0.2.squareRoot()))
    default: return .uniform(Float(layer.hasSuffix("aux_conv") ? bound * 1e-5 : bound))
    }
  }

  private func dhariwal(_ specification: ParameterSpecification, _ layer: String, _ isBias: Bool) -> Distribution {
    if ["conv1", "proj", "out_conv", "map_augment"].contains(layer) { return .constant(0) }
    if layer == "map_label" { return .normal(1) }
    let weight = isBias ? specification.name.dropLast("bias".count) + "weight" : Substring(specification.name)
    let shape = places[String(weight)].map { specifications[$0].shape } ?? specification.shape
    return .uniform(Float(1 / Double(fans(shape).in).squareRoot()))
  }

  private func fans(_ shape: [Int]) -> (in: Int, out: Int) {
    let area = shape.dropFirst(2).reduce(1, *)
    return (max(1, shape.dropFirst().first ?? 1) * area, (shape.first ?? 1) * area)
  }
}

extension Network {
  /// A network that has learned nothing yet, as EDM's trainer begins.
  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - seed: of its parameters; see `InitialParameters`.
  ///   - origin: the name that errors name.
  /// - Throws: a `Failure` naming the option of the architecture that is not known.
  public init(configuration: NetworkConfiguration, initialSeed seed: UInt64, origin: String) throws {
    try self.init(
      configuration: configuration, source: InitialParameters(for: configuration, seed: seed, origin: origin),
      origin: origin)
  }
}
