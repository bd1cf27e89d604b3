import Autograd
import Compute
import TestSupport
import Testing

import Models

@Suite("The cost of a network")
struct NetworkCostTests {
  @Test("Its operations are those of its convolutions and attention as they run", arguments: GoldenNetworkTests.names)
  func flops(name: String) throws {
    let network = try loadNetwork("golden/checkpoints/\(name).pkl")
    var outputs: [String: Tensor] = [:]
    let x = Tensor(shape: [1] + network.imageShape, repeating: 0.1)
    _ = network.bound()(Variable(x), sigma: [2.5], observeModules: { outputs[$0] = $1 })
    var flops = 0.0
    for specification in network.specifications where specification.shape.count == 4 && specification.isTrainable {
      let s = specification.shape
      let output = try #require(outputs[String(specification.name.dropLast(".weight".count))], "\(specification.name)")
      var pixels = output.shape[1] * output.shape[2]
      if specification.name.contains("aux_residual") {
        // The kernel runs before the filter, whose length is even.
        let side = 2 * output.shape[1] + network.configuration.resampleFilter.count - 2
        pixels = side * side
      }
      flops += 2 * Double(pixels * s[0] * s[1] * s[2] * s[3])
      if specification.name.hasSuffix("qkv.weight") { flops += 4 * Double(pixels * pixels * s[1]) }
    }
    #expect(network.cost.flops == flops)
    #expect(network.cost.keptFloats > 0 && network.cost.largestBlockFloats > 0)
  }

  @Test("Two output channels for one are counted")
  func twoOutputs() throws {
    let iddpm = try loadNetwork("golden/checkpoints/iddpm_adm_cond.pkl")
    var configuration = iddpm.configuration
    configuration.precond = "EDMPrecond"
    let single = try Network(configuration: configuration, randomSeed: 1, origin: "single")
    #expect(iddpm.cost.flops - single.cost.flops == Double(2 * 64 * 9 * 8 * 3))
  }
}
