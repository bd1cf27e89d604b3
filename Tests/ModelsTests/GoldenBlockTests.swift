import Autograd
import Compute
import Models
import TestSupport
import Testing

/// Single residual blocks of the official implementation: forward and backward, against its recorded numbers.
@Suite("Residual blocks equal the official implementation")
struct GoldenBlockTests {
  struct Case: Sendable {
    let name: String
    let style: UNetBlock.Style
    let resampling: Convolution.Resampling
    let attention: Bool
    let filter: [Float]
  }

  static let cases = [
    Case(name: "block_adm_down_same_channels", style: .dhariwal, resampling: .down, attention: false, filter: [1, 1]),
    Case(name: "block_adm_up_same_channels", style: .dhariwal, resampling: .up, attention: false, filter: [1, 1]),
    Case(name: "block_adm_two_heads", style: .dhariwal, resampling: .none, attention: true, filter: [1, 1]),
    Case(name: "block_song_down_attention", style: .song, resampling: .down, attention: true, filter: [1, 3, 3, 1]),
    Case(name: "block_song_up_same_channels", style: .song, resampling: .up, attention: false, filter: [1, 1]),
  ]

  @Test(arguments: 0..<cases.count)
  func block(index: Int) throws {
    let c = Self.cases[index]
    let recorded = try Recorded("golden/layers/layers.h5")
    func tensor(_ name: String) throws -> Tensor { try recorded.tensor(c.name + "/" + name) }
    let expected = try tensor("output")
    let x = try tensor("input0").nhwc
    let embedding = try tensor("input1")

    let builder = ParameterBuilder()
    let block = UNetBlock(
      builder, "block", c.style, inputs: x.shape[3], outputs: expected.shape[1], embedding: embedding.shape[1],
      resampling: c.resampling, attention: c.attention, filter: c.filter)
    let names = builder.specifications.map { String($0.name.dropFirst("block.".count)) }
    #expect(Set(names) == Set(try recorded.names(c.name + "/weights")), "\(c.name)")
    let tape = Tape()
    let parameters = try zip(names, builder.specifications).map { name, specification in
      tape.variable(specification.layout.arranged(try tensor("weights/" + name)))
    }
    let inputs = (tape.variable(x), tape.variable(embedding))
    let y = block(inputs.0, inputs.1, ForwardPass(parameters: parameters))
    let output = Distance(y.value.nchw.values, expected.values)
    #expect(output.maximum <= 5e-5 && output.relative <= 5e-6, "\(c.name): \(output)")

    tape.backward(from: y, gradient: try tensor("cotangent").nhwc)
    func check(_ name: String, _ gradient: Tensor?, _ expected: Tensor) throws {
      let values = try #require(gradient).values
      let distance = Distance(Array(values.prefix(expected.count)), expected.values)
      #expect(distance.maximum <= 5e-5 || distance.relative <= 1e-5, "\(c.name) \(name): \(distance)")
    }
    try check("x", inputs.0.gradient?.nchw, tensor("grad_input0"))
    try check("embedding", inputs.1.gradient, tensor("grad_input1"))
    for (index, name) in names.enumerated() where builder.specifications[index].isTrainable {
      let whole = "grad_weights/" + name
      let first = "grad_weights_first2048/" + name
      let specification = builder.specifications[index]
      try check(
        name, parameters[index].gradient.map { specification.layout.restored($0, shape: specification.shape) },
        tensor(recorded.contains(c.name + "/" + whole) ? whole : first))
    }
  }
}
