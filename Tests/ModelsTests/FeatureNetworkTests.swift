import Checkpoints
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Testing
import TestSupport

@Suite struct FeatureNetworkTests {
  /// The layers of the digits' network, as `pipeline/digits/features.yaml` says them.
  static let layers: [PlainValue] = [
    convolution("conv1", 16), relu, convolution("conv2", 32), relu,
    .dictionary(["type": .text("average_pool"), "size": .integer(2)]), convolution("conv3", 48), relu,
    .dictionary(["type": .text("flatten")]), linear("fc1", 64),
    .dictionary(["type": .text("relu"), "output": .text("features")]), linear("fc2", 10, output: "scores"),
  ]
  static let relu = PlainValue.dictionary(["type": .text("relu")])

  static func convolution(_ name: String, _ outputs: Int) -> PlainValue {
    .dictionary([
      "type": .text("convolution"), "name": .text(name), "outputs": .integer(outputs), "kernel": .integer(3),
      "padding": .integer(1),
    ])
  }

  static func linear(_ name: String, _ outputs: Int, output: String? = nil) -> PlainValue {
    var fields: [String: PlainValue] = ["type": .text("linear"), "name": .text(name), "outputs": .integer(outputs)]
    fields["output"] = output.map { .text($0) }
    return .dictionary(fields)
  }

  static func options(
    layers: [PlainValue] = layers, resolution: Int = 8, channels: Int = 1
  ) -> [String: PlainValue] {
    ["img_resolution": .integer(resolution), "img_channels": .integer(channels), "layers": .list(layers)]
  }

  private func digits(_ options: [String: PlainValue] = options()) throws -> FeatureNetwork {
    let path = Fixtures.digits("features.safetensors")
    return try FeatureNetwork(
      configuration: FeatureNetworkConfiguration(options, origin: "features.yaml"),
      source: Checkpoint.open(path).stateDictionary(), origin: path)
  }

  private func features(_ network: FeatureNetwork, _ images: [UInt8]) -> Tensor {
    network.outputs(images: images, shape: [8, 8, 1], convention: .native).features
  }

  private func largestDifference(_ a: Tensor, _ b: [Float]) -> Float {
    zip(a.values, b).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test("Features and scores of the digits agree with the recorded ones")
  func recorded() throws {
    let network = try digits()
    #expect(network.featureCount == 64)
    #expect(network.scoreCount == 10)
    let recorded = try HDF5File.open(Fixtures.path("features/digits.h5")).root
    let outputs = network.outputs(
      images: try recorded.dataset("images").read(UInt8.self), shape: [8, 8, 1], convention: .native,
      wanted: [.features, .scores])
    #expect(outputs.features.shape == [16, 64])
    let scores = try #require(outputs.scores)
    #expect(scores.shape == [16, 10])
    #expect(try largestDifference(outputs.features, recorded.dataset("features").read(Float.self)) < 2e-5)
    #expect(try largestDifference(scores, recorded.dataset("scores").read(Float.self)) < 1e-4)
  }

  @Test("A network that was written and read is the same, and so are its features to the bit")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    let network = try digits()
    let path = folder.file("features.h5")
    try HDF5File.publish(path) { try network.write(to: $0) }
    let again = try FeatureNetwork(contentsOf: path)
    #expect(again.architecture == network.architecture)
    let images = try HDF5File.open(Fixtures.path("features/digits.h5")).root.dataset("images").read(UInt8.self)
    #expect(features(again, images).values == features(network, images).values)
    #expect(try HDF5File.open(path).root.dataset("parameters/conv2.weight").shape == [32, 16, 3, 3])
  }

  @Test("An image's features do not depend on its neighbours or on the number of threads")
  func independent() throws {
    let network = try digits()
    let images = try HDF5File.open(Fixtures.path("features/digits.h5")).root.dataset("images").read(UInt8.self)
    let all = features(network, images).values
    #expect(features(network, Array(images[5 * 64..<6 * 64])).values == Array(all[5 * 64..<6 * 64]))
    #expect(features(network, Array(images[64...]) + images).values.suffix(all.count) == all[...])
    #expect(features(network, []).shape == [0, 64])
  }

  @Test(
    "Configurations that make no sense are refused",
    arguments: [
      options(layers: [relu]),
      options(layers: layers + [.dictionary(["type": .text("softmax")])]),
      options(layers: [.text("relu")]),
      options(layers: layers + [linear("fc3", 3, output: "features")]),
      options(layers: [.dictionary(["type": .text("relu"), "output": .text("features"), "size": .integer(2)])]),
      options(layers: [.dictionary(["type": .text("average_pool"), "size": .integer(3), "output": .text("features")])]),
      options(resolution: 0),
      options().merging(["extra": .integer(1)]) { $1 },
      [:],
    ])
  func refusedConfiguration(options: [String: PlainValue]) throws {
    let failure = #expect(throws: Failure.self) { try FeatureNetworkConfiguration(options, origin: "features.yaml") }
    #expect(failure?.status == .configuration)
    #expect(failure?.subject == "features.yaml")
  }

  @Test(
    "Layers that do not fit each other or the tensors are refused",
    arguments: [
      // Too few layers, so that fc2 belongs to none.
      options(layers: Array(layers.dropLast())),
      // Another width than the tensor has.
      options(layers: [convolution("conv1", 17)] + layers.dropFirst()),
      // A layer without tensors.
      options(layers: layers + [linear("fc3", 3)]),
      // The same tensors twice.
      options(layers: layers + [linear("fc2", 10)]),
      // Vectors into a convolution, images into a linear layer, an odd size halved.
      options(layers: layers + [convolution("conv4", 3)]),
      options(layers: [linear("fc1", 64, output: "features")]),
      options(resolution: 7),
      options(channels: 3),
      // Features that are images.
      options(layers: [.dictionary(["type": .text("relu"), "output": .text("features")])] + layers.dropLast(2)),
    ])
  func refusedLayers(options: [String: PlainValue]) throws {
    let failure = #expect(throws: Failure.self) { try digits(options) }
    #expect(failure?.status == .dataError)
  }
}
