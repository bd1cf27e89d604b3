import Autograd
import Checkpoints
import Compute
import Foundation
import TestSupport
import Testing

import Models

/// The networks of the official implementation: forward and backward, against its recorded numbers.
@Suite("SongUNet and DhariwalUNet equal the official implementation", .serialized)
struct GoldenNetworkTests {
  /// EDM's networks, of which gradients are recorded, and those of the other preconditioners.
  static let edm = ["edm_ddpmpp_uncond", "edm_ddpmpp_cond", "edm_ncsnpp_uncond", "edm_skip_extra", "edm_adm_cond"]
  static let names = edm + ["vp_ddpmpp_uncond", "ve_ncsnpp_uncond", "iddpm_adm_cond"]

  /// Each network in each mode, with the factor of the tolerances: rounding is as in the official implementation where sums
  /// follow the definition, and a little larger in Winograd tiles.
  static let cases = names.flatMap { name in KernelMode.allCases.map { (name, $0) } }
  static let gradientCases = edm.flatMap { name in KernelMode.allCases.map { (name, $0) } }

  static func slack(_ mode: KernelMode) -> Double { mode == .exact ? 1 : 4 }

  /// Whether the noise embedding has random frequencies: its gradients are known less exactly.
  static func isFourier(_ name: String) -> Bool { name.contains("ncsnpp") }

  struct Case {
    let network: Network
    let recorded: Recorded
    let x: Tensor
    let sigma: [Float]
    let classLabels: Tensor?
    let augmentLabels: Tensor?
    let tolerance: RecordedVectors.Tolerance

    init(_ name: String) throws {
      tolerance = GoldenNetworkTests.edm.contains(name) ? .edm : .others
      network = try loadNetwork("golden/checkpoints/\(name).pkl")
      recorded = try Recorded("golden/nets/\(name).h5")
      x = try recorded.images("inputs/x")
      sigma = try recorded.tensor("inputs/sigma").values
      classLabels = recorded.contains("inputs/class_labels") ? try recorded.tensor("inputs/class_labels") : nil
      augmentLabels = recorded.contains("inputs/augment_labels") ? try recorded.tensor("inputs/augment_labels") : nil
    }
  }

  @Test("Denoised images", arguments: cases)
  func forward(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try forward(name, mode) } }

  private func forward(_ name: String, _ mode: KernelMode) throws {
    let c = try Case(name)
    let slack = Self.slack(mode)
    func check(_ output: String, _ images: Tensor) throws {
      let distance = Distance(images.nchw.values, try c.recorded.tensor("outputs/" + output).values)
      #expect(
        distance.maximum <= c.tolerance.maxAbsolute * slack && distance.relative <= c.tolerance.relativeL2 * slack,
        "\(name) \(mode) \(output): \(distance)")
    }
    let full = c.network.denoise(c.x, sigma: c.sigma, classLabels: c.classLabels, augmentLabels: c.augmentLabels)
    try check("D_x", full)
    try check("D_x_fp64", full)
    if c.classLabels != nil {
      try check("D_x_without_class_labels", c.network.denoise(c.x, sigma: c.sigma, augmentLabels: c.augmentLabels))
    }
    if c.augmentLabels != nil {
      try check("D_x_without_augment_labels", c.network.denoise(c.x, sigma: c.sigma, classLabels: c.classLabels))
    }
    try check(
      "D_x_scalar_sigma_2p5",
      c.network.denoise(c.x, sigma: [2.5], classLabels: c.classLabels, augmentLabels: c.augmentLabels))
  }

  @Test("The output of every module", arguments: names)
  func activations(name: String) throws {
    let c = try Case(name)
    let samples = try c.recorded.root.group("activations").intsAttribute("sample_indices")
    var seen: [String: Tensor] = [:]
    _ = c.network.bound()(
      Variable(c.x), sigma: c.sigma, classLabels: c.classLabels, augmentLabels: c.augmentLabels,
      observe: { seen[$0] = $1 }, observeModules: { seen[$0] = $1 })
    let modules = try c.recorded.names("activations")
    #expect(modules.count >= 16)
    for module in modules {
      guard let output = seen[module] else {
        Issue.record("\(name): \(module) was not shown")
        continue
      }
      let expected = try c.recorded.tensor("activations/" + module)
      let rows = samples.flatMap { row -> [Float] in
        let one = output.rows(row..<row + 1)
        return (one.shape.count == 4 ? one.nchw : one).values
      }
      let distance = Distance(rows, expected.values)
      #expect(distance.maximum <= 3e-4 && distance.relative <= 2e-5, "\(name) \(module): \(distance)")
    }
    let output = Distance(try #require(seen["F_x"]).nchw.values, try c.recorded.tensor("outputs/F_x").values)
    #expect(output.relative <= 5e-6, "\(name) F_x: \(output)")
    let input = Distance(
      try #require(seen["c_in_x"]).nchw.values, try c.recorded.tensor("outputs/model_input_c_in_x").values)
    #expect(input.maximum <= 1e-6, "\(name) c_in x: \(input)")
    let noise = Distance(try #require(seen["c_noise"]).values, try c.recorded.tensor("outputs/c_noise").values)
    #expect(noise.maximum <= 1e-6 || noise.relative <= 1e-7, "\(name) c_noise: \(noise)")
  }

  @Test("Gradients of the input and of every parameter", arguments: gradientCases)
  func backward(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try backward(name, mode) } }

  private func backward(_ name: String, _ mode: KernelMode) throws {
    let c = try Case(name)
    let slack = Self.slack(mode)
    let tape = Tape()
    let x = tape.variable(c.x)
    let network = c.network.bound(to: tape)
    let output = network(x, sigma: c.sigma, classLabels: c.classLabels, augmentLabels: c.augmentLabels)
    tape.backward(from: output, gradient: try c.recorded.images("backward/cotangent"))

    let input = Distance(try #require(x.gradient).nchw.values, try c.recorded.tensor("backward/grad_x").values)
    #expect(input.relative <= 1e-5 * slack, "\(name) gradient of x: \(input)")

    let (together, single) = Self.isFourier(name) ? (1e-4, 5e-4) : (3e-5, 1e-4)
    var (difference, expectedNorm, compared) = (0.0, 0.0, 0)
    for (index, specification) in c.network.specifications.enumerated() where specification.isTrainable {
      guard let gradient = network.gradients[index] else {
        Issue.record("\(name): \(specification.name) got no gradient")
        continue
      }
      let values = c.network.stateDictOrder(gradient, of: index).values
      var recorded = "backward/grad/" + specification.name
      if !c.recorded.contains(recorded) { recorded = "backward/grad_first2048/" + specification.name }
      let expected = try c.recorded.tensor(recorded).values
      let distance = Distance(Array(values.prefix(expected.count)), expected)
      // A bias before a normalization has a gradient of zero but for rounding: then only its size can be compared.
      let norm = try c.recorded.root.dataset(recorded).doubleAttribute("l2_norm")
      #expect(
        distance.relative <= single * slack
          || distance.squares.difference.squareRoot() <= 1e-5 * slack * max(norm, 1),
        "\(name) \(specification.name): \(distance)")
      difference += distance.squares.difference
      expectedNorm += distance.squares.expected
      compared += 1
    }
    #expect(compared == c.network.specifications.filter(\.isTrainable).count)
    let relative = (difference / expectedNorm).squareRoot()
    #expect(relative <= together * slack, "\(name), all parameters together: \(relative)")
  }

  @Test("Activations that are computed again give the same gradients to the bit", arguments: names)
  func checkpointing(name: String) throws {
    let c = try Case(name)
    func gradients(_ checkpointsActivations: Bool) throws -> [[Float]?] {
      let tape = Tape()
      let x = tape.variable(c.x)
      let network = c.network.with(dropout: 0.2).bound(to: tape, checkpointsActivations: checkpointsActivations)
      let output = network(
        x, sigma: c.sigma, classLabels: c.classLabels, augmentLabels: c.augmentLabels,
        dropout: (key: 7, firstImage: 3))
      tape.backward(from: output, gradient: output.value)
      return [x.gradient?.values] + network.gradients.map { $0?.values }
    }
    let expected = try gradients(false)
    #expect(expected[0] != nil)
    #expect(try gradients(true) == expected)
  }

  @Test("A network file holds the same network", arguments: names)
  func networkFile(name: String) throws {
    let network = try loadNetwork("golden/checkpoints/\(name).pkl")
    let folder = try TemporaryFolder()
    try writeNetwork(network, folder.file("network.h5"))
    let again = try Network(contentsOf: folder.file("network.h5"))
    #expect(again.configuration == network.configuration)
    #expect(again.specifications == network.specifications)
    for index in network.specifications.indices {
      #expect(again.stateDictTensor(index).values == network.stateDictTensor(index).values)
    }
  }
}
