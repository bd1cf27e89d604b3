import Autograd
import Compute
import Diagnostics

/// A preconditioned denoiser D(x; sigma, class): the teacher, the fake score and the generator are all of this type.
///
/// A value: copies share parameters until one of them is trained.
public struct Network: Sendable {
  /// Architecture and preconditioning.
  public private(set) var configuration: NetworkConfiguration
  /// Every entry of the state_dict, in its order.
  public let specifications: [ParameterSpecification]
  /// Parameters and buffers in the order of `specifications`, arranged for the kernels.
  package var parameters: [Tensor]
  let unet: any UNet
  private let preconditioner: Preconditioner

  /// Builds the architecture and reads its parameters.
  ///
  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - source: a state_dict: exactly the names and shapes of the architecture.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` naming the first option that is not known, tensor that is missing, unknown or of another shape.
  public init(configuration: NetworkConfiguration, source: some TensorSource, origin: String) throws {
    try self.init(configuration: configuration, source: source, origin: origin) { _ in nil }
  }

  /// - Parameter deferring: large weights that may stay where they are until they are needed, by name.
  init(
    configuration: NetworkConfiguration, source: some TensorSource, origin: String,
    deferring: (String) -> DeferredWeights?
  ) throws {
    let builder = ParameterBuilder()
    let (table, unet) = try Self.architecture(configuration, builder, origin: origin)
    self.unet = unet
    self.configuration = configuration
    let state = try StateDictionary(builder, source: source, origin: origin)
    specifications = state.specifications
    let entries = Array(state.specifications.enumerated())
    let parameters = try Threads.map(entries, oneAfterTheOther: !source.isConcurrent) { index, specification in
      if specification.isDeferrable, let deferred = deferring(specification.name) { return Tensor(deferred) }
      return specification.layout.arranged(try state.tensor(index))
    }
    self.parameters = parameters
    preconditioner = Preconditioner(configuration, table: table.map { parameters[$0.position].values } ?? [])
  }

  /// Every entry of the state_dict of an architecture, in its order.
  /// - Throws: a `Failure` naming the option that is not known or contradicts another.
  public static func specifications(of configuration: NetworkConfiguration, origin: String) throws
    -> [ParameterSpecification]
  {
    let builder = ParameterBuilder()
    _ = try architecture(configuration, builder, origin: origin)
    return builder.specifications
  }

  static func architecture(_ configuration: NetworkConfiguration, _ builder: ParameterBuilder, origin: String)
    throws -> (table: ParameterIndex?, unet: any UNet)
  {
    try configuration.validate(origin: origin)
    let table = Preconditioner.addBuffer(configuration, builder)
    let unet: any UNet
    switch configuration.modelType {
    case "SongUNet": unet = SongUNet(configuration, builder, prefix: "model.")
    case "DhariwalUNet": unet = DhariwalUNet(configuration, builder, prefix: "model.")
    default:
      throw Failure(
        .dataError, origin,
        "model_type \"\(configuration.modelType)\" is not supported; SongUNet and DhariwalUNet are")
    }
    if let contradiction = builder.contradiction {
      throw Failure(.dataError, origin, "the configuration's widths do not go together: \(contradiction)")
    }
    return (table, unet)
  }

  /// Height, width and channels of an image.
  public var imageShape: [Int] {
    [configuration.imgResolution, configuration.imgResolution, configuration.imgChannels]
  }

  /// One entry of the state_dict, in PyTorch's order.
  public func stateDictTensor(_ index: Int) -> Tensor {
    specifications[index].layout.restored(parameters[index], shape: specifications[index].shape)
  }

  /// Rearranges a tensor of parameter `index` (a gradient, a moment) from the order in memory to PyTorch's.
  public func stateDictOrder(_ tensor: Tensor, of index: Int) -> Tensor {
    specifications[index].layout.restored(tensor, shape: specifications[index].shape)
  }

  /// Rearranges a tensor of parameter `index` from PyTorch's order to the order in memory.
  public func memoryOrder(_ tensor: Tensor, of index: Int) -> Tensor { specifications[index].layout.arranged(tensor) }

  /// The same network with another dropout probability in training.
  public func with(dropout: Float) -> Network {
    var network = self
    network.configuration.dropout = dropout
    return network
  }

  /// The first parameter that holds a number that is not finite, or nil.
  public var firstNonFiniteParameter: String? {
    let isFinite = Threads.map(parameters, \.isFinite)
    return zip(specifications, isFinite).first { !$1 }?.0.name
  }

  /// The noise level that the network was trained for nearest to `sigma`; all but iDDPM's take any.
  public func roundSigma(_ sigma: Double) -> Double { preconditioner.roundSigma(sigma) }

  /// The denoised images D(x; sigma, class).
  ///
  /// - Parameters:
  ///   - x: noisy images, [N, H, W, C].
  ///   - sigma: noise level of each image, or one for all.
  ///   - classLabels: [N, labelDim], one-hot; nil is all zeros.
  ///   - augmentLabels: [N, augmentDim]; nil leaves that input out.
  /// - Returns: [N, H, W, C].
  public func denoise(_ x: Tensor, sigma: [Float], classLabels: Tensor? = nil, augmentLabels: Tensor? = nil) -> Tensor {
    bound()(Variable(x), sigma: sigma, classLabels: classLabels, augmentLabels: augmentLabels).value
  }

  /// This network with its parameters as variables: on a tape where they are trained, as constants where not.
  ///
  /// - Parameter checkpointsActivations: whether the blocks compute their inner results again for the gradient instead of
  ///   keeping them; the gradients are the same to the bit.
  public func bound(to tape: Tape? = nil, checkpointsActivations: Bool = false) -> BoundNetwork {
    let variables = zip(specifications, parameters).map { specification, tensor in
      if let tape, specification.isTrainable { tape.variable(tensor) } else { Variable(tensor) }
    }
    return BoundNetwork(
      unet: unet, preconditioner: preconditioner, configuration: configuration, variables: variables,
      checkpointsActivations: checkpointsActivations)
  }
}

/// A network whose parameters are variables, ready to be run forward and, on a tape, backward.
public struct BoundNetwork {
  let unet: any UNet
  let preconditioner: Preconditioner
  let configuration: NetworkConfiguration
  let variables: [Variable]
  let checkpointsActivations: Bool

  /// The noise levels that the network supports.
  public var sigmaRange: ClosedRange<Double> { configuration.sigmaRange }

  /// The noise level nearest to `sigma` that the network was made for: in its range, and one of its own if it has few.
  public func nearestSigma(_ sigma: Float) -> Float {
    Float(preconditioner.roundSigma(min(max(Double(sigma), sigmaRange.lowerBound), sigmaRange.upperBound)))
  }

  /// D(x; sigma, class); shapes as in `Network.denoise`.
  ///
  /// - Parameters:
  ///   - dropout: set in training mode; every dropout mask, that of the class labels included, follows from the key and
  ///     the number of the first image.
  ///   - observe: is shown `c_in_x`, `c_noise` and `F_x`, NHWC.
  ///   - observeModules: is shown the output of every module by name, NHWC; what is otherwise fused is then computed
  ///     apart.
  public func callAsFunction(
    _ x: Variable, sigma: [Float], classLabels: Tensor? = nil, augmentLabels: Tensor? = nil,
    dropout: (key: UInt64, firstImage: Int)? = nil,
    observe: ((String, Tensor) -> Void)? = nil, observeModules: ((String, Tensor) -> Void)? = nil
  ) -> Variable {
    var encoded = encode(
      x, sigma: sigma, classLabels: classLabels, augmentLabels: augmentLabels, dropout: dropout, observe: observe,
      observeModules: observeModules)
    return encoded.denoise()
  }

  /// Runs the encoder alone; parameters as those of the whole.
  public func encode(
    _ x: Variable, sigma: [Float], classLabels: Tensor? = nil, augmentLabels: Tensor? = nil,
    dropout: (key: UInt64, firstImage: Int)? = nil,
    observe: ((String, Tensor) -> Void)? = nil, observeModules: ((String, Tensor) -> Void)? = nil
  ) -> EncodedImages {
    let images = x.shape[0]
    precondition(sigma.count == images || sigma.count == 1, "\(sigma.count) noise levels for \(images) images")
    precondition(
      classLabels.map { $0.shape == [images, configuration.labelDim] } ?? true,
      "class labels \(classLabels?.shape ?? []) for \(images) images of \(configuration.labelDim) classes")
    let levels = sigma.count == images ? sigma : Array(repeating: sigma[0], count: images)
    let coefficients = levels.map { preconditioner($0) }
    var pass = ForwardPass(parameters: variables, observe: observeModules)
    pass.dropout = dropout
    pass.dropoutProbability = configuration.dropout
    pass.labelDropout = configuration.labelDropout
    pass.checkpointsActivations = checkpointsActivations
    let input = scaledRows(x, by: coefficients.map(\.input))
    observe?("c_in_x", input.value)
    observe?("c_noise", Tensor(coefficients.map(\.noise), shape: [images]))
    let encoded = unet.encode(
      input, noise: coefficients.map(\.noise), classLabels: classLabels,
      augmentLabels: configuration.augmentDim > 0 ? augmentLabels : nil, pass)
    return EncodedImages(
      network: self, x: x, coefficients: coefficients, pass: pass, observe: observe, encoded: encoded)
  }

  /// The gradients after a backward pass, in the order of the network's parameters; nil where none flowed.
  public var gradients: [Tensor?] { variables.map(\.gradient) }
}

/// Images on their way through a network, behind its encoder.
///
/// A discriminator that reads a score network's own features (arXiv 2410.14919) stops here, or goes on for both.
public struct EncodedImages {
  fileprivate let network: BoundNetwork
  fileprivate let x: Variable
  fileprivate let coefficients: [Preconditioner.Coefficients]
  fileprivate let pass: ForwardPass
  fileprivate let observe: ((String, Tensor) -> Void)?
  fileprivate var encoded: EncodedFeatures

  /// The encoder's last activation, which its decoder reads, [N, h, w, C]; on the tape if the parameters or the images are.
  public var features: Variable { encoded.features }

  /// Goes on to D(x; sigma, class). The features are used up then: what else reads them takes them before.
  public mutating func denoise() -> Variable {
    let output = network.unet.decode(&encoded, pass)
    observe?("F_x", output.value)
    return combinedRows(
      x, coefficients.map(\.skip), firstChannels(output, network.configuration.imgChannels), coefficients.map(\.out))
  }
}
