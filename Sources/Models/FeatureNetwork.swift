import Compute
import Diagnostics
import HDF5

/// A feature network: images to the vectors whose distribution the Frechet distance compares.
///
/// Either a small network of a few layers, which takes images of one shape as they are, or Inception-v3 as the FID uses it.
public struct FeatureNetwork: Sendable {
  /// What the network is.
  public let architecture: FeatureArchitecture
  private let kind: Kind

  private enum Kind: Sendable {
    case layered(LayeredNetwork)
    case inception(InceptionNetwork)
  }

  /// The `format` attribute of a feature network's file.
  public static let format = HDF5Format("sid-features")

  /// Takes the parameters from a source of named tensors in PyTorch's layout.
  ///
  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - source: has `NAME.weight` and `NAME.bias` for each named layer, and nothing else.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` with status `dataError` naming the layer whose shape is impossible or the tensor that is
  ///   missing, unknown, of another shape or not finite.
  public init(configuration: FeatureNetworkConfiguration, source: some TensorSource, origin: String) throws {
    try self.init(architecture: .layered(configuration), source: source, origin: origin)
  }

  /// The same for any architecture. The tensors of Inception-v3 have the names of pytorch-fid's state_dict.
  public init(architecture: FeatureArchitecture, source: some TensorSource, origin: String) throws {
    self.architecture = architecture
    switch architecture {
    case .layered(let configuration):
      kind = .layered(try LayeredNetwork(configuration: configuration, source: source, origin: origin))
    case .inceptionV3: kind = .inception(try InceptionNetwork(source: source, origin: origin))
    }
  }

  /// Reads a feature network's file (`sid-features`).
  /// - Throws: a `Failure` naming the file and what in it cannot be used.
  public init(contentsOf path: String) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    let architecture = try FeatureArchitecture(text: try file.root.stringAttribute("config"), origin: path)
    try self.init(
      architecture: architecture, source: HDF5Tensors(try file.root.group("parameters"), path: path), origin: path)
  }

  /// Writes `format`, `format_version`, `config` and `/parameters` into a new file.
  /// - Throws: a `Failure` for Inception-v3, which does not keep what its file holds; `write(_:source:origin:to:)` copies it.
  public func write(to file: HDF5File) throws {
    guard case .layered(let network) = kind else {
      throw Failure(.usage, file.path, "an Inception network is written from the tensors that it is made of")
    }
    try Self.writeFormat(architecture, to: file)
    try network.write(to: file)
  }

  private static func writeFormat(_ architecture: FeatureArchitecture, to file: HDF5File) throws {
    try file.root.setFormat(Self.format)
    try file.root.setAttribute("config", architecture.text)
  }

  /// Writes a new file from the tensors of a state_dict, one at a time.
  /// - Returns: the length of the feature vector.
  /// - Throws: a `Failure` naming the tensor that is missing, unknown, of another shape or not finite.
  @discardableResult
  public static func write(
    _ architecture: FeatureArchitecture, source: some TensorSource, origin: String, to file: HDF5File
  ) throws -> Int {
    guard case .inceptionV3 = architecture else {
      let network = try FeatureNetwork(architecture: architecture, source: source, origin: origin)
      try network.write(to: file)
      return network.featureCount
    }
    try InceptionNetwork.check(source, origin: origin)
    let weights = InceptionWeights(source: source, origin: origin)
    try writeFormat(architecture, to: file)
    let group = try file.root.createGroup("parameters")
    for (name, shape) in InceptionArchitecture.tensors {
      try group.write(try weights.tensor(name).values, shape: shape, to: name)
    }
    return InceptionArchitecture.featureCount
  }

  /// The length D of the feature vector.
  public var featureCount: Int {
    switch kind {
    case .layered(let network): network.featureCount
    case .inception: InceptionArchitecture.featureCount
    }
  }

  /// The number of class scores; nil where the network has none.
  ///
  /// Those of Inception-v3 are what the official Inception Score takes: without the output's bias.
  public var scoreCount: Int? {
    switch kind {
    case .layered(let network): network.scoreCount
    case .inception: InceptionArchitecture.scoreCount
    }
  }

  /// The length of the spatial features; nil where the network has none.
  ///
  /// Those of Inception-v3 are seven channels of 17x17 pixels, `mixed_6/conv:0` of the original graph, by row, column and
  /// channel (Nash et al. 2021, arXiv 2103.03841).
  public var spatialCount: Int? {
    if case .inception = kind { Self.inceptionSpatialCount } else { nil }
  }

  static var inceptionSpatialCount: Int {
    InceptionArchitecture.spatial.channels * InceptionArchitecture.spatial.pixels
  }

  /// Floating-point operations for one image by direct convolutions, a multiply-add counted as two.
  public var flopsPerImage: Double {
    switch kind {
    case .layered(let network): network.flopsPerImage
    case .inception: InceptionArchitecture.flops
    }
  }

  /// Bytes that the weights and one call of `outputs` for so many images take, beside images and results.
  ///
  /// Inception-v3 takes its images in groups, so that more of them than one group need no more.
  public func memoryBytes(images: Int) -> Int {
    switch kind {
    case .layered(let network): 8 * network.parameterCount + 16 * images * network.largestActivation
    case .inception:
      // Measured: results and patches of the early stages, and those of one group at 17x17 and 8x8 pixels.
      InceptionArchitecture.weightBytes + (96 << 20) + min(images, InceptionNetwork.largestGroup) * (5 << 19)
    }
  }

  /// Height, width and channels of the images; what images are resized to where any size will do.
  public var imageShape: [Int] {
    switch kind {
    case .layered(let network): network.imageShape
    case .inception: [InceptionArchitecture.side, InceptionArchitecture.side, 3]
    }
  }

  /// The conventions that the network can be used with.
  public var conventions: [InputConvention] {
    if case .inception = kind { [.pytorchFID, .tensorflow] } else { [.native] }
  }

  /// Refuses images that the network does not take.
  /// - Parameters:
  ///   - shape: height, width and channels.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` with status `dataError`.
  public func requireImageShape(_ shape: [Int], origin: String) throws {
    func text(_ shape: [Int]) -> String {
      shape.count == 3 ? "\(shape[0])x\(shape[1]) pixels of \(shape[2]) channel\(shape[2] == 1 ? "" : "s")" : "\(shape)"
    }
    switch kind {
    case .layered(let network):
      guard shape == network.imageShape else {
        throw Failure(
          .dataError, origin, "the images have \(text(shape)), the feature network needs \(text(network.imageShape))",
          remedy: "use the feature network that was made for these images")
      }
    case .inception:
      guard isAnyImage(shape) else {
        throw Failure(
          .dataError, origin, "the images have \(text(shape)), Inception-v3 takes gray or RGB images of any size",
          remedy: "convert them to 1 or 3 channels")
      }
    }
  }

  private func isAnyImage(_ shape: [Int]) -> Bool {
    shape.count == 3 && shape[0] > 0 && shape[1] > 0 && (shape[2] == 1 || shape[2] == 3)
  }

  /// The features of images.
  ///
  /// An image's features do not depend on its neighbours.
  ///
  /// - Parameters:
  ///   - images: bytes in image, row, column, channel order, of whole images.
  ///   - shape: height, width and channels of the images, as `requireImageShape` lets them pass.
  ///   - convention: one of `conventions`.
  ///   - wanted: which results are computed; the feature vector always is.
  public func outputs(
    images: [UInt8], shape: [Int], convention: InputConvention, wanted: FeatureKinds = .features
  ) -> FeatureOutputs {
    observedOutputs(images: images, shape: shape, convention: convention, wanted: wanted, observe: nil)
  }

  /// The same; `observe` sees what the stages of Inception-v3 give, [N, H, W, C] by name and for a few images at a time.
  package func observedOutputs(
    images: [UInt8], shape: [Int], convention: InputConvention, wanted: FeatureKinds = .features,
    observe: ((String, Tensor) -> Void)?
  ) -> FeatureOutputs {
    let imageBytes = shape.reduce(1, *)
    precondition(conventions.contains(convention), "\(convention)")
    precondition(imageBytes > 0 && images.count % imageBytes == 0, "\(images.count) bytes for images of \(shape)")
    guard !images.isEmpty else {
      func none(_ kind: FeatureKinds, _ count: Int?) -> Tensor? {
        wanted.contains(kind) ? count.map { Tensor(shape: [0, $0]) } : nil
      }
      return FeatureOutputs(
        features: Tensor(shape: [0, featureCount]), spatial: none(.spatial, spatialCount),
        scores: none(.scores, scoreCount))
    }
    switch kind {
    case .layered(let network):
      precondition(shape == imageShape, "\(shape)")
      return network.outputs(images, wanted: wanted)
    case .inception(let network):
      precondition(isAnyImage(shape), "\(shape)")
      return network.outputs(images, shape: shape, convention: convention, wanted: wanted, observe: observe)
    }
  }
}
