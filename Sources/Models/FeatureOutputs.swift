import Compute

/// How the bytes of an image become the input of a feature network.
///
/// Features of one network under two conventions are features of two networks: statistics carry their convention.
public enum InputConvention: String, Sendable, CaseIterable {
  /// byte / 127.5 - 1 at the network's own resolution: the small feature networks.
  case native
  /// byte / 255, bilinear with half-pixel centres to 299x299, 2 x - 1: the program pytorch-fid.
  case pytorchFID = "pytorch-fid"
  /// The legacy bilinear of the original graph (source = index * size / 299, clamped) to 299x299, (byte - 128) / 128:
  /// the published numbers of EDM and SiD, and NVIDIA's reference statistics.
  case tensorflow
}

/// Which results of a feature network are wanted.
public struct FeatureKinds: OptionSet, Sendable {
  /// The bits of the kinds.
  public let rawValue: Int
  /// The kinds of some bits.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// The feature vector.
  public static let features = FeatureKinds(rawValue: 1)
  /// The spatial features (Nash et al. 2021, arXiv 2103.03841).
  public static let spatial = FeatureKinds(rawValue: 2)
  /// The class scores.
  public static let scores = FeatureKinds(rawValue: 4)
}

/// The results of a feature network for N images.
public struct FeatureOutputs: Sendable {
  /// The feature vectors, [N, featureCount].
  public let features: Tensor
  /// The spatial features, [N, spatialCount]; nil where they are not wanted or the network has none.
  public let spatial: Tensor?
  /// The class scores before the softmax, [N, scoreCount]; nil where they are not wanted or the network has none.
  public let scores: Tensor?

  /// The feature vectors, and behind them the class scores: what another process needs to measure these images.
  public var numbers: [Float] { features.values + (scores?.values ?? []) }

  init(features: Tensor, spatial: Tensor?, scores: Tensor?) {
    (self.features, self.spatial, self.scores) = (features, spatial, scores)
  }

  /// From the numbers of such outputs, without spatial features.
  public init(numbers: [Float], featureCount: Int, scoreCount: Int?) {
    let images = numbers.count / (featureCount + (scoreCount ?? 0))
    precondition(images * (featureCount + (scoreCount ?? 0)) == numbers.count, "features of whole images")
    features = Tensor(Array(numbers.prefix(images * featureCount)), shape: [images, featureCount])
    scores = scoreCount.map { Tensor(Array(numbers.dropFirst(images * featureCount)), shape: [images, $0]) }
    spatial = nil
  }
}
