import Autograd
import Checkpoints
import Compute
import Foundation
import TestSupport
import Testing

import Models

/// Networks whose encoder has no blocks between its changes of resolution.
@Suite("num_blocks 0")
struct BlocklessNetworkTests {
  static let names = ["song", "ncsnpp", "adm"]

  struct Case {
    let recorded: Recorded
    let configuration: NetworkConfiguration
    let tensors: CheckpointTensors
    let network: Network

    init(_ name: String) throws {
      recorded = try Recorded("blockless/\(name).h5")
      configuration = try JSONDecoder().decode(
        NetworkConfiguration.self, from: Data(try recorded.root.stringAttribute("config").utf8))
      tensors = try Checkpoint.open(Fixtures.path("blockless/\(name).safetensors")).stateDictionary()
      network = try Network(configuration: configuration, source: tensors, origin: name)
    }
  }

  @Test("Names and shapes give the architecture", arguments: names)
  func inferred(name: String) throws {
    let c = try Case(name)
    #expect(c.configuration.numBlocks == 0)
    var options = try #require(try NetworkConfiguration.inferredOptions(from: c.tensors))
    #expect(options["num_blocks"] == .integer(0))
    // The files hold no filters, which follow from it.
    options["resample_filter"] = .list(c.configuration.resampleFilter.map { .integer($0) })
    if name == "adm" { options["resample_filter"] = nil }
    var found = try NetworkConfiguration(
      className: "EDMPrecond", modelClassName: nil, initKeywords: options, origin: name)
    (found.dropout, found.sigmaMax) = (c.configuration.dropout, c.configuration.sigmaMax)
    #expect(found == c.configuration)
  }

  @Test("Outputs and gradients are those of PyTorch", arguments: names)
  func computed(name: String) throws {
    let c = try Case(name)
    let vectors = try RecordedVectors(contentsOf: Fixtures.path("blockless/\(name).h5"), for: c.network)
    let comparisons = KernelSet.with(.exact) { vectors.compare(c.network) { _ in } }
    #expect(comparisons.map(\.name) == ["F_x", "D_x", "D_x_fp64"])
    for comparison in comparisons { #expect(comparison.isAccepted, "\(name) \(comparison)") }

    func labels(_ input: String) throws -> Tensor? {
      c.recorded.contains("inputs/" + input) ? try c.recorded.tensor("inputs/" + input) : nil
    }
    let tape = Tape()
    let x = tape.variable(try c.recorded.images("inputs/x"))
    let bound = c.network.bound(to: tape)
    let output = bound(
      x, sigma: try c.recorded.tensor("inputs/sigma").values, classLabels: try labels("class_labels"),
      augmentLabels: try labels("augment_labels"))
    tape.backward(from: output, gradient: try c.recorded.images("backward/cotangent"))
    let input = Distance(
      try #require(x.gradient).nchw.values.map(Double.init), try c.recorded.numbers("backward/grad_x_fp64"))
    #expect(input.relative <= 4e-5, "\(name) gradient of x: \(input)")
    var compared = 0
    for (index, specification) in c.network.specifications.enumerated() where specification.isTrainable {
      let dataset = "backward/grad_first512/" + specification.name
      let expected = try c.recorded.tensor(dataset).values
      let gradient = c.network.stateDictOrder(try #require(bound.gradients[index]), of: index).values
      let distance = Distance(Array(gradient.prefix(expected.count)), expected)
      let norm = try c.recorded.root.dataset(dataset).doubleAttribute("l2_norm")
      #expect(
        distance.relative <= 2e-3 || distance.squares.difference.squareRoot() <= 4e-5 * max(norm, 1),
        "\(name) \(specification.name): \(distance)")
      compared += 1
    }
    #expect(compared == (try c.recorded.names("backward/grad_first512").count))
  }

  @Test("A network file and a snapshot hold it; it has a cost", arguments: names)
  func files(name: String) throws {
    let c = try Case(name)
    let folder = try TemporaryFolder()
    try writeNetwork(c.network, folder.file("n.h5"))
    let again = try Network(contentsOf: folder.file("n.h5"))
    #expect(again.configuration == c.configuration && again.specifications == c.network.specifications)
    for index in again.specifications.indices {
      #expect(again.stateDictTensor(index).values == c.network.stateDictTensor(index).values)
    }
    try EDMSnapshot.write(c.configuration, seed: 1, to: folder.file("n.pkl"))
    let snapshot = try loadNetworkFile(folder.file("n.pkl"))
    #expect(snapshot.configuration.numBlocks == 0 && snapshot.specifications == c.network.specifications)
    let cost = c.network.cost
    #expect(cost.flops > 0 && cost.skipFloats > 0 && cost.checkpointedFloats > 0)
    #expect(cost.checkpointedFloats < cost.keptFloats)
  }
}
