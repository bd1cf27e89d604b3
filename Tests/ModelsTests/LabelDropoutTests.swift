import Autograd
import Compute
import Foundation
import TestSupport
import Testing

import Models

@Suite("Class labels are dropped in training")
struct LabelDropoutTests {
  /// A conditional network that drops labels, from a source that does not care.
  private func network(_ checkpoint: String, labelDropout: Float) throws -> Network {
    let whole = try loadNetwork("golden/checkpoints/\(checkpoint).pkl")
    var configuration = whole.configuration
    configuration.labelDropout = labelDropout
    configuration.dropout = 0
    return try Network(configuration: configuration, randomSeed: 3, origin: checkpoint)
  }

  private let checkpoints = ["edm_ddpmpp_cond", "edm_adm_cond", "iddpm_adm_cond"]

  /// Inputs for `count` images, all the same.
  private func inputs(_ network: Network, _ count: Int) -> (x: Tensor, labels: Tensor) {
    let shape = [count] + network.imageShape
    let labels = (0..<count).flatMap { _ in (0..<network.configuration.labelDim).map { $0 == 3 ? Float(1) : 0 } }
    return (
      Tensor(shape: shape, repeating: 0.3), Tensor(labels, shape: [count, network.configuration.labelDim])
    )
  }

  /// Which images of a batch lost their class, seen in the output.
  private func dropped(_ network: Network, _ count: Int, key: UInt64, firstImage: Int) throws -> [Bool] {
    let (x, labels) = inputs(network, count)
    let with = network.denoise(x.rows(0..<1), sigma: [2.5], classLabels: labels.rows(0..<1)).values
    let without = network.denoise(x.rows(0..<1), sigma: [2.5]).values
    #expect(with != without)
    let y = network.bound()(
      Variable(x), sigma: [2.5], classLabels: labels, dropout: (key: key, firstImage: firstImage)
    ).value
    return try (0..<count).map { n in
      let image = y.rows(n..<n + 1).values
      try #require(image == with || image == without, "image \(n) has its whole class or none")
      return image == without
    }
  }

  @Test("Each image keeps its class or loses it whole, with the probability asked for, in every architecture")
  func mask() throws {
    for name in checkpoints {
      let network = try network(name, labelDropout: 0.25)
      let mask = try dropped(network, 200, key: 11, firstImage: 0)
      let share = Double(mask.count { $0 }) / 200
      #expect(abs(share - 0.25) < 0.1, "\(name): \(share)")
    }
  }

  @Test("The mask follows from the key and the image's number, not from how the batch is cut")
  func determinism() throws {
    let network = try network("edm_adm_cond", labelDropout: 0.5)
    let whole = try dropped(network, 24, key: 5, firstImage: 0)
    let parts = try dropped(network, 10, key: 5, firstImage: 0) + dropped(network, 14, key: 5, firstImage: 10)
    #expect(whole == parts)
    #expect(try dropped(network, 24, key: 5, firstImage: 0) == whole)
    #expect(try dropped(network, 24, key: 6, firstImage: 0) != whole)
    #expect(whole.contains(true) && whole.contains(false))
  }

  @Test("Outside of training, and where it is 0, nothing is dropped; at 1 everything is")
  func extremes() throws {
    let never = try network("edm_ddpmpp_cond", labelDropout: 0)
    #expect(try !dropped(never, 20, key: 1, firstImage: 0).contains(true))
    let always = try network("edm_ddpmpp_cond", labelDropout: 1)
    #expect(try !dropped(always, 20, key: 1, firstImage: 0).contains(false))
    let (x, labels) = inputs(always, 2)
    #expect(
      always.denoise(x, sigma: [2.5], classLabels: labels).values != always.denoise(x, sigma: [2.5]).values)
  }

  @Test("A class that is dropped gets no gradient")
  func gradient() throws {
    let network = try network("edm_ddpmpp_cond", labelDropout: 1)
    let (x, labels) = inputs(network, 2)
    let tape = Tape()
    let bound = network.bound(to: tape)
    let y = bound(Variable(x), sigma: [2.5], classLabels: labels, dropout: (key: 1, firstImage: 0))
    tape.backward(from: y, gradient: Tensor(shape: y.shape, repeating: 1))
    let index = try #require(network.specifications.firstIndex { $0.name == "model.map_label.weight" })
    #expect(try #require(bound.gradients[index]).values.allSatisfy { $0 == 0 })
  }
}
