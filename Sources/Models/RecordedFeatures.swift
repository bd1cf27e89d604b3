import Compute
import Diagnostics
import HDF5

/// Images and what another program's Inception network gave for them: how converted weights are checked.
///
/// Each group of the file that holds `images_uint8_nchw` [N, 1 or 3, H, W] and `features` [N, 2048], under the convention of
/// pytorch-fid, is compared; other groups are left alone.
public struct RecordedFeatures {
  private let records: [(name: String, bytes: [UInt8], shape: [Int], features: [Double])]
  /// Names in the root of the file that are not compared.
  public let unknownOutputs: [String]

  /// Reads a file of recorded features.
  /// - Throws: a `Failure` (`dataError`) naming the data set that is missing or does not fit the network.
  public init(contentsOf path: String, for network: FeatureNetwork) throws {
    guard network.conventions.contains(.pytorchFID) else {
      throw Failure(.dataError, path, "recorded features are those of Inception-v3; the network is a list of layers")
    }
    let root = try HDF5File.open(path).root
    var unknown: [String] = []
    records = try root.names.compactMap { name in
      guard let group = try? root.group(name), group.contains("images_uint8_nchw"), group.contains("features") else {
        unknown.append(name)
        return nil
      }
      let images = try group.dataset("images_uint8_nchw")
      let features = try group.dataset("features")
      guard images.shape.count == 4, images.shape[0] > 0, images.shape[0] <= 4096,
        features.shape == [images.shape[0], network.featureCount]
      else {
        throw Failure(
          .dataError, path, "\(name) holds images \(images.shape) and features \(features.shape)",
          remedy: "[N, channels, height, width] and [N, \(network.featureCount)] are expected")
      }
      let shape = [images.shape[2], images.shape[3], images.shape[1]]
      try network.requireImageShape(shape, origin: path)
      let nhwc = Tensor(try images.read(Float.self), shape: images.shape).nhwc
      let bytes = nhwc.values.map { UInt8(min(max($0, 0), 255)) }
      return (name, bytes, shape, try features.read(Double.self))
    }
    guard !records.isEmpty else {
      throw Failure(
        .dataError, path, "no group of the file holds `images_uint8_nchw` and `features`",
        remedy: "record a feature network's results, or give --network a denoiser")
    }
    unknownOutputs = unknown
  }

  /// The number of passes through the network that `compare` makes.
  public var passCount: Int { records.count }

  /// Computes all features and measures the difference.
  /// - Parameters:
  ///   - network: the network that the file was read for.
  ///   - progress: called after each pass with the number of passes made; throwing ends the work.
  public func compare(
    _ network: FeatureNetwork, progress: (Int) throws -> Void
  ) rethrows -> [RecordedVectors.Comparison] {
    try records.enumerated().map { index, record in
      let outputs = network.outputs(images: record.bytes, shape: record.shape, convention: .pytorchFID)
      try progress(index + 1)
      return RecordedVectors.difference("\(record.name)/features", outputs.features.values, record.features, .edm)
    }
  }
}
