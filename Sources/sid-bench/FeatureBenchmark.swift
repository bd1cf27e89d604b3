import Compute
import Diagnostics
import HDF5
import Models

/// Features of images of 32x32 pixels under the convention of pytorch-fid.
struct FeatureBenchmark: Benchmark {
  private let network: FeatureNetwork
  private let seed: UInt64
  private var images: [UInt8]
  private static let shape = [32, 32, 3]

  /// - Parameters:
  ///   - batch: images in one repetition.
  ///   - seed: of the images.
  /// - Throws: a `Failure` for a network that takes its images otherwise.
  init(network: FeatureNetwork, batch: Int, seed: UInt64, origin: String) throws {
    guard network.conventions.contains(.pytorchFID) else {
      throw Failure(.dataError, origin, "--work features measures Inception-v3; this network is a list of layers")
    }
    self.network = network
    self.seed = seed
    images = Self.images(batch, seed)
  }

  private static func images(_ batch: Int, _ seed: UInt64) -> [UInt8] {
    let normals = Philox(seed: seed).normals(batch * shape.reduce(1, *), stream: (0, 0))
    return normals.map { UInt8(min(max(128 + 50 * $0, 0), 255)) }
  }

  var batch: Int { images.count / Self.shape.reduce(1, *) }
  var flops: Double? { network.flopsPerImage * Double(batch) }

  mutating func resize(batch: Int) { images = Self.images(batch, seed) }

  mutating func run() { _ = features }

  private var features: Tensor {
    network.outputs(images: images, shape: Self.shape, convention: .pytorchFID).features
  }

  /// Writes `images`, bytes [N, H, W, 3], and `features`, [N, 2048].
  func writeOutputs(to path: String) throws {
    try HDF5File.publish(path) { file in
      try file.root.write(images, shape: [batch] + Self.shape, to: "images")
      let features = features
      try file.root.write(features.values, shape: features.shape, to: "features")
    }
  }
}
