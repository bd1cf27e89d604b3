import Checkpoints
import Compute
import TestSupport
import Testing

import Models

@Suite("Networks by name")
struct PublishedNetworkTests {
  /// The official network that a name stands for, and its parameters.
  static let official: [(name: String, recorded: String, parameters: Int)] = [
    ("cifar10", "cifar10_32x32_uncond_ddpmpp", 55_733_891),
    ("cifar10-cond", "cifar10_32x32_cond_ddpmpp", 55_735_299),
    ("cifar10-ncsnpp", "cifar10_32x32_uncond_ncsnpp", 56_397_827),
    ("ffhq64", "ffhq_afhqv2_64x64_uncond_ddpmpp", 61_805_571),
    ("imagenet64", "imagenet_64x64_cond_adm", 295_899_267),
  ]

  @Test("Every name has an architecture, and no other text has")
  func names() {
    #expect(Set(NetworkConfiguration.publishedNames) == Set(Self.official.map(\.name) + ["digits"]))
    for name in NetworkConfiguration.publishedNames { #expect(NetworkConfiguration.published(name) != nil) }
    #expect(NetworkConfiguration.published("cifar") == nil)
  }

  @Test("They are the published networks, whose tensors are held to the recorded ones", arguments: official)
  func configurations(name: String, recorded: String, parameters: Int) throws {
    let configuration = try #require(NetworkConfiguration.published(name))
    #expect(try FullSizeNetworkTests.published()[recorded]?.configuration == configuration)
    let specifications = try Network.specifications(of: configuration, origin: name)
    #expect(specifications.filter(\.isTrainable).reduce(0) { $0 + $1.shape.reduce(1, *) } == parameters)
  }

  @Test("digits is the teacher of the example")
  func digits() throws {
    let path = Fixtures.digits("teacher.pkl")
    let module = try Checkpoint.open(path).module("ema")
    let teacher = try NetworkConfiguration(
      className: module.className, modelClassName: module.modelClassName, initKeywords: module.initKeywords,
      attributes: module.attributes, origin: path)
    #expect(NetworkConfiguration.published("digits") == teacher)
  }

  @Test("Random parameters follow from the seed, have the promised spread, and leave no layer at zero")
  func randomParameters() throws {
    let configuration = try #require(NetworkConfiguration.published("digits"))
    let source = try RandomParameters(for: configuration, seed: 7, origin: "digits")
    for name in source.tensorNames {
      let values = try source.tensor(name).values
      #expect(try source.tensor(name).values == values)
      #expect(values.contains { $0 != 0 })
    }
    func deviation(_ name: String, around mean: Float) throws -> Float {
      let values = try source.tensor(name).values
      return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)).squareRoot()
    }
    // 64 x 32 x 9 numbers, and vectors of 32 to 192.
    #expect(abs(try deviation("model.dec.8x8_block0.conv0.weight", around: 0) * Float(64 * 9).squareRoot() - 1) < 0.03)
    #expect(abs(try deviation("model.dec.8x8_block0.norm0.weight", around: 1) - 0.2) < 0.08)
    #expect(abs(try deviation("model.dec.4x4_in0.qkv.bias", around: 0) - 0.1) < 0.03)

    let other = try RandomParameters(for: configuration, seed: 8, origin: "digits")
    let name = "model.map_layer0.weight"
    #expect(try source.tensor(name).values != other.tensor(name).values)

    let network = try Network(configuration: configuration, randomSeed: 7, origin: "digits")
    let image = network.denoise(Tensor(shape: [1, 8, 8, 1], repeating: 0.5), sigma: [2.5])
    #expect(image.isFinite && image.values.contains { $0 != 0 })
  }
}
