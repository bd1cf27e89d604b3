import Autograd
import Compute
import Foundation
import TestSupport
import Testing

import Models

/// Single layers of the official implementation: forward and backward, against its recorded numbers.
@Suite("Layers equal the official implementation", .serialized)
struct GoldenLayerTests {
  /// What a layer of the file is made from.
  struct Layer: Decodable {
    var inChannels: Int?, outChannels: Int?, kernel: Int?, up: Bool?, down: Bool?, resampleFilter: [Float]?
    var fusedResample: Bool?
    var numChannels: Int?, numGroupsUsed: Int?, endpoint: Bool?
    var inFeatures: Int?, outFeatures: Int?
  }

  static let modes: [KernelMode] = [.exact, .fast]
  /// Winograd tiles round more than the definition does.
  static func slack(_ mode: KernelMode) -> Double { mode == .exact ? 1 : 20 }

  let recorded: Recorded

  init() throws { recorded = try Recorded("golden/layers/layers.h5") }

  private func layer(_ name: String) throws -> Layer {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Layer.self, from: Data(try recorded.root.group(name).stringAttribute("config").utf8))
  }

  private func names(_ prefix: String) -> [String] { recorded.root.names.filter { $0.hasPrefix(prefix) } }

  /// Runs a layer on the recorded input and compares its output, and all gradients where they are recorded.
  private func check(
    _ name: String, _ builder: ParameterBuilder, _ mode: KernelMode, tolerance: Double = 5e-5,
    _ run: (Variable, ForwardPass) throws -> Variable
  ) throws {
    func tensor(_ part: String) throws -> Tensor { try recorded.tensor(name + "/" + part) }
    func memory(_ tensor: Tensor) -> Tensor { tensor.shape.count == 4 ? tensor.nhwc : tensor }
    func file(_ tensor: Tensor) -> [Float] { (tensor.shape.count == 4 ? tensor.nchw : tensor).values }
    func compare(_ what: String, _ values: [Float], _ expected: Tensor) {
      let distance = Distance(values, expected.values)
      #expect(distance.maximum <= tolerance * Self.slack(mode), "\(name) \(mode) \(what): \(distance)")
    }
    let tape = Tape()
    let specifications = builder.specifications
    let names = specifications.map { String($0.name.dropFirst("layer.".count)) }
    if recorded.contains(name + "/weights") {
      #expect(Set(names) == Set(try recorded.names(name + "/weights")), "\(name)")
    }
    let parameters = try zip(names, specifications).map { name, specification in
      let value = specification.layout.arranged(try tensor("weights/" + name))
      return specification.isTrainable ? tape.variable(value) : Variable(value)
    }
    let x = tape.variable(memory(try tensor("input0")))
    try KernelSet.with(mode) {
      let y = try run(x, ForwardPass(parameters: parameters))
      compare("output", file(y.value), try tensor("output"))
      guard recorded.contains(name + "/cotangent") else { return }
      tape.backward(from: y, gradient: memory(try tensor("cotangent")))
      compare("gradient of x", file(try #require(x.gradient)), try tensor("grad_input0"))
      for ((name, specification), parameter) in zip(zip(names, specifications), parameters)
      where specification.isTrainable {
        let gradient = specification.layout.restored(try #require(parameter.gradient), shape: specification.shape)
        compare("gradient of " + name, gradient.values, try tensor("grad_weights/" + name))
      }
    }
  }

  @Test(
    "Convolutions that halve or double the resolution, by every kernel and filter, plain and fused", arguments: modes)
  func convolutions(mode: KernelMode) throws {
    let names = names("conv_")
    #expect(names.count >= 20)
    for name in names {
      let c = try layer(name)
      let (inputs, outputs) = (try #require(c.inChannels), try #require(c.outChannels))
      let builder = ParameterBuilder()
      let convolution = Convolution(
        builder, "layer", inputs: inputs, outputs: outputs, kernel: try #require(c.kernel),
        resampling: c.up == true ? .up : c.down == true ? .down : .none, filter: try #require(c.resampleFilter),
        fused: c.fusedResample == true)
      try check(name, builder, mode) { convolution($0, $1) }
    }
  }

  @Test("Group norms of 4 to 256 channels")
  func groupNorms() throws {
    let names = names("groupnorm_")
    #expect(names.count == 6)
    for name in names {
      let c = try layer(name)
      let builder = ParameterBuilder()
      let norm = GroupNorm(builder, "layer", channels: try #require(c.numChannels), epsilon: 1e-5)
      #expect(norm.groups == c.numGroupsUsed)
      try check(name, builder, .exact) { norm($0, silu: false, $1) }
    }
  }

  @Test("A linear layer")
  func linear() throws {
    let c = try layer("linear")
    let builder = ParameterBuilder()
    let linear = Linear(builder, "layer", inputs: try #require(c.inFeatures), outputs: try #require(c.outFeatures))
    try check("linear", builder, .exact) { linear($0, $1) }
  }

  @Test("Positional and Fourier embeddings, at arguments up to 999")
  func embeddings() throws {
    let names = names("positional_") + names("fourier_")
    #expect(names.count == 4)
    for name in names {
      let c = try layer(name)
      let channels = try #require(c.numChannels)
      let builder = ParameterBuilder()
      let embedding: NoiseEmbedding
      if name.hasPrefix("fourier_") {
        let frequencies = builder.add("layer.freqs", [channels / 2], .buffer)
        embedding = .fourier(frequencies: frequencies, channels: channels)
      } else {
        embedding = .positional(c.endpoint == true ? .song : .dhariwal, channels: channels)
      }
      try check(name, builder, .exact, tolerance: 3e-4) { noise, pass in
        // The layer as it is recorded has the cosines first; SongUNet exchanges the halves.
        let half = channels / 2
        let rows = embedding(noise.value.values, pass).value.values
        guard name != "positional_16_noendpoint" else {
          return Variable(Tensor(rows, shape: [noise.shape[0], channels]))
        }
        let exchanged = stride(from: 0, to: rows.count, by: channels).flatMap { row in
          rows[row + half..<row + channels] + rows[row..<row + half]
        }
        return Variable(Tensor(exchanged, shape: [noise.shape[0], channels]))
      }
    }
  }
}
