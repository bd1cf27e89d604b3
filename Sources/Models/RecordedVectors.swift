import Autograd
import Compute
import Diagnostics
import HDF5

/// Inputs of a denoiser and what another program computed from them: how a converted network is checked.
///
/// The file holds `inputs/x` [B, C, R, R], `inputs/sigma` [B], where the network takes them `inputs/class_labels`
/// [B, L] and `inputs/augment_labels` [B, A], and some of the `outputs/` of `knownOutputs`.
public struct RecordedVectors {
  /// How far one output is from its record.
  public struct Comparison: Sendable {
    /// The output's name in the file.
    public let name: String
    /// Largest absolute difference; infinite where a value is not finite on one side only.
    public let maxAbsoluteError: Double
    /// L2 norm of the difference over the L2 norm of the record.
    public let relativeL2Error: Double

    /// What is accepted.
    public let tolerance: Tolerance

    /// Whether the errors are within the tolerance.
    public var isAccepted: Bool {
      maxAbsoluteError <= tolerance.maxAbsolute && relativeL2Error <= tolerance.relativeL2
    }
  }

  /// How far an output may be from its record: about ten times the distance between float32 and float64 results of the
  /// official implementation, because another order of summation is legitimate.
  public struct Tolerance: Sendable {
    /// Largest absolute difference; infinite where the values' own size has no limit.
    public let maxAbsolute: Double
    /// Relative L2 distance.
    public let relativeL2: Double

    /// EDM's networks, whose values are images.
    public static let edm = Tolerance(maxAbsolute: 2e-5, relativeL2: 5e-6)
    /// The other preconditioners, whose values reach the noise level.
    public static let others = Tolerance(maxAbsolute: .infinity, relativeL2: 1e-5)
  }

  /// The outputs that are compared, in the order of the computation.
  public static let knownOutputs = [
    "model_input_c_in_x", "c_noise", "F_x", "D_x", "D_x_fp64", "D_x_without_class_labels",
    "D_x_without_augment_labels", "D_x_scalar_sigma_2p5",
  ]

  /// Outputs of the file that are not among the known ones.
  public let unknownOutputs: [String]
  private let x: Tensor  // [B, R, R, C]
  private let sigma: [Float]
  private let classLabels: Tensor?
  private let augmentLabels: Tensor?
  private let outputs: [(name: String, values: [Double])]
  private let tolerance: Tolerance

  /// Reads a file of vectors.
  /// - Throws: a `Failure` (`dataError`) naming the data set that is missing or does not fit the network.
  public init(contentsOf path: String, for network: Network) throws {
    let configuration = network.configuration
    let file = try HDF5File.open(path)
    guard file.root.contains("inputs"), file.root.contains("outputs") else {
      throw Failure(.dataError, path, "not a file of recorded vectors: it has no groups `inputs` and `outputs`")
    }
    let inputs = try file.root.group("inputs")
    func input(_ name: String, _ expected: [Int?]) throws -> Tensor {
      guard inputs.contains(name) else { throw Failure(.dataError, path, "inputs/\(name) is missing") }
      let dataset = try inputs.dataset(name)
      guard dataset.shape.count == expected.count, zip(dataset.shape, expected).allSatisfy({ $1 == nil || $0 == $1 })
      else {
        let wanted = expected.map { $0.map(String.init) ?? "B" }.joined(separator: ", ")
        throw Failure(
          .dataError, path, "inputs/\(name) has shape \(dataset.shape); the network takes [\(wanted)]",
          remedy: "these vectors were recorded from another network")
      }
      return Tensor(try dataset.read(Float.self), shape: dataset.shape)
    }
    let resolution = configuration.imgResolution
    let images = try input("x", [nil, configuration.imgChannels, resolution, resolution])
    let count = images.shape[0]
    guard count > 0 else { throw Failure(.dataError, path, "inputs/x holds no images") }
    x = images.nhwc
    sigma = try input("sigma", [count]).values
    guard sigma.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw Failure(.dataError, path, "inputs/sigma holds a noise level that is not a positive number")
    }
    classLabels = try inputs.contains("class_labels") ? input("class_labels", [count, configuration.labelDim]) : nil
    augmentLabels =
      try inputs.contains("augment_labels") ? input("augment_labels", [count, configuration.augmentDim]) : nil

    let recorded = try file.root.group("outputs")
    unknownOutputs = recorded.names.filter { !Self.knownOutputs.contains($0) }
    var outputs: [(name: String, values: [Double])] = []
    for name in Self.knownOutputs where recorded.contains(name) {
      let dataset = try recorded.dataset(name)
      let expected =
        switch name {
        case "c_noise": [count]
        case "F_x": [count, configuration.outputChannels, resolution, resolution]
        default: images.shape
        }
      guard dataset.shape == expected else {
        throw Failure(.dataError, path, "outputs/\(name) has shape \(dataset.shape); \(expected) is expected")
      }
      outputs.append((name, try dataset.read(Double.self)))
    }
    guard outputs.contains(where: { $0.name == "D_x" }) else {
      throw Failure(.dataError, path, "outputs/D_x is missing")
    }
    self.outputs = outputs
    tolerance = configuration.precond == "EDMPrecond" ? .edm : .others
  }

  /// The number of passes through the network that `compare` makes.
  public var passCount: Int { 1 + outputs.count { $0.name.hasPrefix("D_x_") && $0.name != "D_x_fp64" } }

  /// Computes every recorded output and measures the difference.
  /// - Parameters:
  ///   - network: the network that the file was read for.
  ///   - progress: called after each pass with the number of passes made; throwing ends the work.
  public func compare(_ network: Network, progress: (Int) throws -> Void) rethrows -> [Comparison] {
    let bound = network.bound()
    var computed: [String: Tensor] = [:]
    let denoised = bound(Variable(x), sigma: sigma, classLabels: classLabels, augmentLabels: augmentLabels) {
      name, tensor in
      switch name {
      case "c_in_x": computed["model_input_c_in_x"] = tensor.nchw
      case "F_x": computed[name] = tensor.nchw
      case "c_noise": computed[name] = tensor
      default: break
      }
    }
    computed["D_x"] = denoised.value.nchw
    computed["D_x_fp64"] = computed["D_x"]
    var passes = 1
    try progress(passes)
    return try outputs.compactMap { name, recorded in
      let tensor: Tensor
      if let known = computed[name] {
        tensor = known
      } else {
        switch name {
        case "D_x_without_class_labels": tensor = network.denoise(x, sigma: sigma, augmentLabels: augmentLabels).nchw
        case "D_x_without_augment_labels": tensor = network.denoise(x, sigma: sigma, classLabels: classLabels).nchw
        case "D_x_scalar_sigma_2p5":
          tensor = network.denoise(x, sigma: [2.5], classLabels: classLabels, augmentLabels: augmentLabels).nchw
        default: return nil
        }
        passes += 1
        try progress(passes)
      }
      return Self.difference(name, tensor.values, recorded, tolerance)
    }
  }

  static func difference(
    _ name: String, _ values: [Float], _ recorded: [Double], _ tolerance: Tolerance
  ) -> Comparison {
    var largest = 0.0
    var squares = 0.0
    var reference = 0.0
    for (value, record) in zip(values, recorded) {
      let difference = abs(Double(value) - record)
      largest = max(largest, difference.isFinite ? difference : .infinity)
      squares += difference * difference
      reference += record * record
    }
    let relative = squares == 0 ? 0 : (squares / reference).squareRoot()
    return Comparison(
      name: name, maxAbsoluteError: largest, relativeL2Error: relative.isFinite ? relative : .infinity,
      tolerance: tolerance)
  }
}
