import Compute
import Diagnostics
import Foundation
import Records
import Sampling
import TestSupport
import Testing

@Suite("Images between two seeds")
struct InterpolationTests {
  private let sampler = Sampler.oneStep(OneStepSampler())

  @Test("begin and end with the one-step images of the seeds, whatever the batch", arguments: [1, 2, 3, 16])
  func ends(batch: Int) throws {
    let network = try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl")
    let images = try LatentInterpolation(from: 4, to: 9, classIndex: 2, frames: 5).images(
      network, sampler: sampler, convention: .torchCPU, batch: batch)
    let latents = Latents(
      seeds: [4, 9], imageShape: network.imageShape, labelDim: network.labelDim, choice: .fixed(2))
    let ends = try #require(sampler.images(network, latents))
    let size = network.imageShape.reduce(1, *)
    #expect(images.count == 5 * size)
    #expect(Array(images.prefix(size)) == Array(ends.prefix(size)))
    #expect(Array(images.suffix(size)) == Array(ends.suffix(size)))
    #expect(Array(images[size..<2 * size]) != Array(ends.prefix(size)))
  }

  @Test("Latents move on the great circle at an even pace")
  func slerp() {
    let (a, b): ([Float], [Float]) = ([3, 0, 0], [0, 3, 0])
    let middle = LatentInterpolation.slerp(a, b, 0.5)
    #expect(abs(middle[0] - 3 / Float(2).squareRoot()) < 1e-6 && abs(middle[0] - middle[1]) < 1e-6)
    let third = LatentInterpolation.slerp(a, b, 1.0 / 3)
    #expect(abs(atan2(third[1], third[0]) - .pi / 6) < 1e-6)
    #expect(LatentInterpolation.slerp(a, b, 0) == a && LatentInterpolation.slerp(a, b, 1) == b)
    #expect(LatentInterpolation.slerp(a, a, 0.5) == a)
    #expect(LatentInterpolation.slerp([0, 0, 0], b, 0.5) == [0, 1.5, 0])
    #expect(LatentInterpolation.slerp(a, [-3, 0, 0], 0.25).allSatisfy { $0.isFinite })
  }

  @Test("are refused for a class, a seed or a sampler that has none")
  func refusals() throws {
    let denoiser = AnalyticDenoiser()
    func images(_ strip: LatentInterpolation, _ sampler: Sampler) throws -> [UInt8] {
      try strip.images(denoiser, sampler: sampler, convention: .torchCPU)
    }
    for index in [-1, 5, Int.max] {
      #expect(throws: Failure.self) {
        try images(LatentInterpolation(from: 0, to: 1, classIndex: index, frames: 3), sampler)
      }
    }
    #expect(throws: Failure.self) {
      try images(LatentInterpolation(from: 0, to: 1 << 40, classIndex: 1, frames: 3), sampler)
    }
    let churned = Sampler.heun(HeunSampler(steps: 4, churn: HeunSampler.Churn(amount: 10)))
    #expect(throws: Failure.self) {
      try images(LatentInterpolation(from: 0, to: 1, classIndex: 1, frames: 3), churned)
    }
    let strip = LatentInterpolation(from: 0, to: 1, classIndex: 1, frames: 3)
    #expect(throws: CancellationError.self) {
      try strip.images(
        denoiser, sampler: sampler, convention: .torchCPU, beforeBatch: { throw CancellationError() })
    }
  }

  @Test(
    "An archive's recipe is read from its provenance; what no option may say is refused",
    arguments: [
      (["sampler": "heun", "steps": "9223372036854775807"], "steps"), (["sampler": "heun", "s-churn": "1"], "s-max"),
      (["sampler": "heun", "sigma-max": "nan"], "sigma-max"), (["sampler": "heun", "rho": "-1"], "rho"),
      (["sampler": "one-step", "init-sigma": "inf"], "init-sigma"), (["sampler": "guess"], "sampler"),
      (["sampler": "one-step", "seeds": "5-1"], "seeds"), (["sampler": "one-step", "class": "-3"], "class"),
    ])
  func hostileRecipes(_ options: [String: String], _ name: String) throws {
    var all = [
      "class": "random", "rng": "torch-cpu", "seeds": "0-9", "init-sigma": "2.5", "steps": "18", "sigma-min": "0.002",
      "sigma-max": "80", "rho": "7", "s-min": "3", "s-max": "2", "s-noise": "1",
    ]
    all.merge(options) { $1 }
    let json = try JSONSerialization.data(
      withJSONObject: [
        "program": "sid-sample", "version": "1", "inputs": [String: String](), "options": all,
      ])
    let origin = try #require(Provenance(json: String(decoding: json, as: UTF8.self)))
    let failure = #expect(throws: Failure.self) { try SampleRecipe(origin: origin, archive: "a.h5") }
    #expect(failure?.status == .dataError && failure?.problem.contains("--\(name)") == true)
  }
}
