import Autograd
import Compute
import TestSupport
import Testing

import Models

@Suite("Augmentation labels")
struct AugmentLabelTests {
  /// A network of random parameters that takes augmentation labels.
  private func network(_ checkpoint: String) throws -> Network {
    var configuration = try loadNetwork("golden/checkpoints/\(checkpoint).pkl").configuration
    configuration.augmentDim = 9
    return try Network(configuration: configuration, randomSeed: 4, origin: checkpoint)
  }

  @Test(
    "Left out they are zeros to the output, and their layer gets no gradient; given they count, as differences say",
    arguments: ["edm_ddpmpp_cond", "edm_adm_cond", "ve_ncsnpp_uncond", "iddpm_adm_cond"])
  func labels(name: String) throws {
    try KernelSet.with(.exact) {
      let network = try network(name)
      let index = try #require(network.specifications.firstIndex { $0.name == "model.map_augment.weight" })
      #expect(network.specifications[index].shape[1] == 9)
      let x = Tensor(shape: [2] + network.imageShape, repeating: 0.25)
      func run(_ labels: Tensor?) -> (output: Tensor, gradient: Tensor?) {
        let tape = Tape()
        let bound = network.bound(to: tape)
        let y = bound(Variable(x), sigma: [2.5], augmentLabels: labels)
        tape.backward(from: y, gradient: Tensor(shape: y.shape, repeating: 1))
        return (y.value, bound.gradients[index])
      }
      let (none, zeros) = (run(nil), run(Tensor(shape: [2, 9])))
      #expect(none.output.values == zeros.output.values)
      #expect(none.gradient == nil)
      #expect(try #require(zeros.gradient).values.allSatisfy { $0 == 0 })

      // Labels of one image alone change that image alone.
      let values = (0..<18).map { Float($0 < 9 ? 0 : 0.1 * Double($0 - 12)) }
      let some = run(Tensor(values, shape: [2, 9]))
      #expect(some.output.rows(0..<1).values == none.output.rows(0..<1).values)
      #expect(some.output.rows(1..<2).values != none.output.rows(1..<2).values)

      let gradient = network.stateDictOrder(try #require(some.gradient), of: index).values
      for element in [0, 5, 40] {
        func sum(_ step: Float) -> Double {
          var moved = network
          var weight = network.stateDictTensor(index)
          weight.withUnsafeMutableBufferPointer { $0[element] += step }
          moved.parameters[index] = network.memoryOrder(weight, of: index)
          let y = moved.denoise(x, sigma: [2.5], augmentLabels: Tensor(values, shape: [2, 9]))
          return y.values.reduce(0) { $0 + Double($1) }
        }
        let difference = (sum(0.02) - sum(-0.02)) / 0.04
        #expect(abs(difference - Double(gradient[element])) <= 2e-2 * max(1, abs(difference)), "\(element)")
      }
    }
  }
}
