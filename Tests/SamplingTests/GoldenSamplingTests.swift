import Compute
import Models
import Sampling
import TestSupport
import Testing

/// The samplers against what the official scripts have made.
@Suite("Samplers and the official implementation")
struct GoldenSamplingTests {
  @Test(
    "Latents and classes of a seed are the official script's",
    arguments: ["edm_ddpmpp_uncond", "edm_ddpmpp_cond", "edm_ddpmpp_cond_class3"])
  func latents(name: String) throws {
    let recorded = try Recorded("golden/onestep/\(name).h5")
    let expected = try recorded.images("latents_unit_normal")
    let isConditional = recorded.contains("class_index_drawn")
    let latents = Latents(
      seeds: try recorded.numbers("seeds").map { UInt64($0) }, imageShape: Array(expected.shape.dropFirst()),
      labelDim: isConditional ? 10 : 0)
    #expect(Distance(latents.noise.values, expected.values).maximum <= 5e-6)
    if isConditional {
      #expect(latents.classes?.map(Double.init) == (try recorded.numbers("class_index_drawn")))
    } else {
      #expect(latents.classes == nil && latents.classLabels == nil)
    }
  }

  @Test(
    "One-step images equal the official bytes",
    arguments: [
      ("edm_ddpmpp_uncond", "edm_ddpmpp_uncond", ClassChoice.random),
      ("edm_ddpmpp_cond", "edm_ddpmpp_cond", .random),
      ("edm_ddpmpp_cond_class3", "edm_ddpmpp_cond", .fixed(3)), ("sida_snapshot", "sida_snapshot", .random),
    ], KernelMode.allCases)
  func oneStep(_ c: (name: String, checkpoint: String, choice: ClassChoice), mode: KernelMode) throws {
    try KernelSet.with(mode) { try oneStep(c.name, c.checkpoint, c.choice, mode) }
  }

  private func oneStep(_ name: String, _ checkpoint: String, _ choice: ClassChoice, _ mode: KernelMode) throws {
    let recorded = try Recorded("golden/onestep/\(name).h5")
    let network = try loadNetwork("golden/checkpoints/\(checkpoint).pkl")
    let latents = Latents(
      seeds: try recorded.numbers("seeds").map { UInt64($0) }, imageShape: network.imageShape,
      labelDim: network.labelDim, choice: choice)
    let sampler = OneStepSampler()
    let images = sampler(network, latents: latents.noise, classLabels: latents.classLabels)
    let distance = Distance(images.values, try recorded.images("images_float").values)
    #expect(distance.maximum <= 2e-5 * (mode == .exact ? 1 : 4))

    let bytes = try #require(Sampler.oneStep(sampler).images(network, latents)).map(Double.init)
    let expected = try recorded.numbers("images_uint8_nhwc")
    let differences = zip(bytes, expected).map { abs($0 - $1) }
    #expect(bytes.count == expected.count)
    #expect(differences.allSatisfy { $0 <= 1 })
    let perThousand = mode == .exact ? 1 : 5
    #expect(differences.count { $0 != 0 } * 1000 <= expected.count * perThousand, "bytes that differ")
  }

  @Test(
    "Heun's sampler, 18 steps",
    arguments: [
      "edm_ddpmpp_uncond", "edm_ddpmpp_cond", "edm_ncsnpp_uncond", "edm_adm_cond", "vp_ddpmpp_uncond",
      "ve_ncsnpp_uncond", "iddpm_adm_cond",
    ])
  func heun(name: String) throws {
    let recorded = try Recorded("golden/sampler/\(name).h5")
    let network = try loadNetwork("golden/checkpoints/\(name).pkl")
    let sampler = HeunSampler()
    let levels = try recorded.numbers("t_steps_after_rounding_without_final_0")
    for (level, expected) in zip(sampler.schedule(for: network), levels) {
      #expect(abs(level - expected) <= 1e-12 * expected)
    }
    let latents = try recorded.images("latents")
    let labels = recorded.contains("class_labels") ? try recorded.tensor("class_labels") : nil
    var states: [[Double]] = []
    let images = sampler(network, latents: latents, classLabels: labels, observe: { _, state in states.append(state) })
    let distance = Distance(images, try nhwc(recorded, "images"))
    // The images of the others have values of the size of their noise.
    #expect(name.hasPrefix("edm") ? distance.maximum <= 2e-5 : distance.relative <= 1e-5, "\(distance)")
    #expect(network.sigmaRange.lowerBound == (try recorded.root.doubleAttribute("net_sigma_min")))
    #expect(network.sigmaRange.upperBound == (try recorded.root.doubleAttribute("net_sigma_max")))
    #expect(sampler.evaluations == (try recorded.root.intAttribute("number_of_network_calls")))

    let trace = try recorded.images("x_hat_at_each_euler_step_sample0")
    #expect(states.count == trace.shape[0])
    for (step, state) in states.enumerated() {
      let expected = trace.rows(step..<step + 1).values.map(Double.init)
      #expect(Distance(Array(state.prefix(expected.count)), expected).relative <= 5e-6, "step \(step)")
    }
  }

  @Test("The churned sampler with its recorded noise", arguments: ["edm_ddpmpp_uncond", "edm_ddpmpp_cond"])
  func churned(name: String) throws {
    let recorded = try Recorded("golden/sampler/\(name).h5")
    let settings = try recorded.root.group("stochastic")
    let sampler = HeunSampler(
      steps: try settings.intAttribute("num_steps"), sigmaMin: try settings.doubleAttribute("sigma_min"),
      sigmaMax: try settings.doubleAttribute("sigma_max"), rho: try settings.doubleAttribute("rho"),
      churn: HeunSampler.Churn(
        amount: try settings.doubleAttribute("S_churn"),
        range: try settings.doubleAttribute("S_min")...(try settings.doubleAttribute("S_max")),
        noise: try settings.doubleAttribute("S_noise")))
    let noise = try recorded.tensor("stochastic/noise_per_step")
    let shape = Array(noise.shape.dropFirst())
    let images = sampler(
      try loadNetwork("golden/checkpoints/\(name).pkl"), latents: try recorded.images("latents"),
      classLabels: recorded.contains("class_labels") ? try recorded.tensor("class_labels") : nil,
      freshNoise: { noise.rows($0..<$0 + 1).reshaped(shape).nhwc.values.map(Double.init) })
    #expect(Distance(images, try nhwc(recorded, "stochastic/images")).maximum <= 2e-5)
  }

  @Test("The bytes of an image do not depend on its neighbours, on the order, or on the threads")
  func independence() throws {
    let network = try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl")
    func images(_ seeds: [UInt64], threads: Int) throws -> [Float] {
      Threads.use(threads)
      let latents = Latents(seeds: seeds, imageShape: network.imageShape, labelDim: 10)
      return OneStepSampler()(network, latents: latents.noise, classLabels: latents.classLabels).values
    }
    let threads = Threads.count
    defer { Threads.use(threads) }
    let all = try images(Array(0..<23), threads: 2)
    #expect(try (0..<23).flatMap { try images([$0], threads: 1) } == all)
    #expect(try images([0, 1, 2, 3, 4, 5, 6], threads: 2) + images(Array(7..<23), threads: 1) == all)
    let size = all.count / 23
    let reversed = try images((0..<23).reversed(), threads: 2)
    #expect(Array(reversed.suffix(size)) == Array(all.prefix(size)))
  }

  /// Images stored as [N, C, H, W] in double precision, in this package's order.
  private func nhwc(_ recorded: Recorded, _ name: String) throws -> [Double] {
    let shape = try recorded.root.dataset(name).shape
    let values = try recorded.numbers(name)
    var result: [Double] = []
    for n in 0..<shape[0] {
      for pixel in 0..<shape[2] * shape[3] {
        for c in 0..<shape[1] { result.append(values[(n * shape[1] + c) * shape[2] * shape[3] + pixel]) }
      }
    }
    return result
  }
}
