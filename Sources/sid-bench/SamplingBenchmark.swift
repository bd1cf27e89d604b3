import Compute
import HDF5
import Models
import Sampling

/// One-step sampling: one evaluation of the network for each image.
struct SamplingBenchmark: Benchmark {
  private let network: Network
  private let sampler = OneStepSampler()
  private let seed: UInt64
  private var latents: Latents

  /// - Parameters:
  ///   - batch: images in one evaluation.
  ///   - seed: of the first image; the others follow.
  init(network: Network, batch: Int, seed: UInt64) {
    self.network = network
    self.seed = seed
    latents = Self.latents(network, batch, seed)
  }

  private static func latents(_ network: Network, _ batch: Int, _ seed: UInt64) -> Latents {
    Latents(
      seeds: (0..<UInt64(batch)).map { seed &+ $0 }, imageShape: network.imageShape,
      labelDim: network.configuration.labelDim)
  }

  var batch: Int { latents.noise.shape[0] }
  var flops: Double? { network.cost.flops * Double(batch) }

  mutating func resize(batch: Int) { latents = Self.latents(network, batch, seed) }

  mutating func run() { _ = images }

  private var images: Tensor { sampler(network, latents: latents.noise, classLabels: latents.classLabels) }

  /// Writes `latents` and `images`, [N, C, H, W], and for a network with classes `class_labels`, [N, labelDim].
  func writeOutputs(to path: String) throws {
    try HDF5File.publish(path) { file in
      try file.root.write(image: latents.noise, to: "latents")
      try file.root.write(image: images, to: "images")
      if let labels = latents.classLabels {
        try file.root.write(labels.values, shape: labels.shape, to: "class_labels")
      }
    }
  }
}

extension HDF5Group {
  /// Writes images, [N, H, W, C] in memory, as [N, C, H, W].
  func write(image tensor: Tensor, to name: String) throws {
    let images = tensor.nchw
    try write(images.values, shape: images.shape, to: name)
  }
}
