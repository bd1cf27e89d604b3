import Compute
import Diagnostics

/// What a feature network is: the `config` attribute of a `sid-features` file.
public enum FeatureArchitecture: Sendable, Equatable {
  /// A list of layers; written as JSON.
  case layered(FeatureNetworkConfiguration)
  /// Inception-v3 as the FID uses it; written as `inception-v3`.
  case inceptionV3

  private static let inceptionName = "inception-v3"

  /// Reads the text of a `config` attribute.
  /// - Throws: a `Failure` with status `dataError`.
  public init(text: String, origin: String) throws {
    self =
      text == Self.inceptionName ? .inceptionV3 : .layered(try FeatureNetworkConfiguration(json: text, origin: origin))
  }

  /// The text for a `config` attribute.
  public var text: String {
    switch self {
    case .layered(let configuration): configuration.json
    case .inceptionV3: Self.inceptionName
    }
  }

  /// The architecture that the names of a state_dict tell; nil where they tell none.
  /// - Throws: a `Failure` with status `dataError` for Inception networks that are not the one of the FID.
  public init?(inferredFrom tensors: some TensorSource, origin: String) throws {
    guard InceptionNetwork.isNamed(tensors) else { return nil }
    try InceptionNetwork.check(tensors, origin: origin)
    self = .inceptionV3
  }

  /// Whether an entry of a state_dict counts steps of training, which no network needs.
  public static func isCounter(_ name: String) -> Bool { InceptionNetwork.isIgnored(name) }
}
