import Checkpoints
import Compute
import Files
import Foundation
import Models
import TestSupport
import Testing

/// What names and shapes say of an architecture, against what the files say themselves.
@Suite("Architectures from names and shapes")
struct InferenceTests {
  @Test(
    "agree with the recorded ones",
    arguments: [
      "edm_ddpmpp_uncond", "edm_ddpmpp_cond", "edm_ncsnpp_uncond", "edm_adm_cond", "edm_skip_extra", "sid_b_teacher",
    ])
  func golden(name: String) throws {
    let path = "golden/checkpoints/\(name).pkl"
    let module = try Checkpoint.open(Fixtures.path(path)).module("ema")
    let expected = try loadNetwork(path).configuration
    let options = try #require(try NetworkConfiguration.inferredOptions(from: module))
    var found = try NetworkConfiguration(
      className: "EDMPrecond", modelClassName: nil, initKeywords: options, origin: name)
    // What no tensor shows.
    found.dropout = expected.dropout
    (found.sigmaMin, found.sigmaMax) = (expected.sigmaMin, expected.sigmaMax)
    // Attention of no heads has no parameters, and resolutions that do not occur have no blocks.
    let names = Set(module.tensorNames)
    let shown = expected.attnResolutions.filter { names.contains("model.enc.\($0)x\($0)_block0.qkv.weight") }
    #expect(Set(found.attnResolutions) == Set(shown))
    found.attnResolutions = expected.attnResolutions
    #expect(found == expected)
    #expect(
      try Network.specifications(of: found, origin: name) == Network.specifications(of: expected, origin: name))
  }

  @Test("are those of the published networks")
  func published() throws {
    let json = try Data(
      contentsOf: URL(fileURLWithPath: Fixtures.path("golden/full_size_networks_names_and_shapes.json")))
    let networks = try #require(try JSONSerialization.jsonObject(with: json) as? [String: [String: Any]])
    #expect(networks.count == 5)
    for (name, network) in networks {
      let tensors = try #require(network["tensors"] as? [[Any]])
      let source = ShapesAlone(tensors)
      let options = try #require(try NetworkConfiguration.inferredOptions(from: source))
      let found = try NetworkConfiguration(
        className: "EDMPrecond", modelClassName: nil, initKeywords: options, origin: name)
      let shapes = try Network.specifications(of: found, origin: name)
      #expect(shapes.map(\.name) == tensors.map { $0[0] as? String })
      #expect(shapes.map(\.shape) == tensors.map { $0[1] as? [Int] })
    }
  }

  @Test("are not made up for other tensors")
  func foreign() throws {
    let features = try Checkpoint.open(Fixtures.digits("features.safetensors")).stateDictionary()
    #expect(try NetworkConfiguration.inferredOptions(from: features) == nil)
  }
}

/// Shapes without elements; filters are averages of two.
private struct ShapesAlone: TensorSource {
  let tensorNames: [String]
  private let shapes: [String: [Int]]

  init(_ tensors: [[Any]]) {
    tensorNames = tensors.compactMap { $0[0] as? String }
    shapes = Dictionary(tensors.map { ($0[0] as? String ?? "", $0[1] as? [Int] ?? []) }) { first, _ in first }
  }

  func shape(of name: String) -> [Int]? { shapes[name] }

  func tensor(_ name: String) throws -> Tensor {
    let shape = shapes[name] ?? []
    // Bilinear where there are four taps, as NCSN++ has them.
    let row: [Float] = shape.last == 4 ? [1, 3, 3, 1] : [1, 1]
    let total = row.reduce(0, +)
    return Tensor(row.flatMap { a in row.map { a * $0 / (total * total) } }, shape: shape)
  }
}
