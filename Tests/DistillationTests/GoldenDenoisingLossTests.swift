import Autograd
import Compute
import Denoising
import Distillation
import Models
import TestSupport
import Testing
import TrainingData

/// The losses of the EDM, VP and VE trainings and their gradients, against the official implementation's numbers.
@Suite("The losses of denoisers equal the official ones", .serialized)
struct GoldenDenoisingLossTests {
  static let names = ["edm_ddpmpp_uncond", "edm_ddpmpp_cond", "vp_ddpmpp_uncond", "ve_ncsnpp_uncond"]
  static let cases = names.flatMap { name in [KernelMode.exact, .fast].map { (name, $0) } }

  @Test("without augmentation", arguments: cases)
  func plain(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try plain(name, mode) } }

  private func plain(_ name: String, _ mode: KernelMode) throws {
    let recorded = try Recorded("golden/edm_loss/\(name).h5")
    let network = try loadNetwork("golden/checkpoints/\(name).pkl")
    let slack = mode == .exact ? 1.0 : 20
    let isEDM = name.hasPrefix("edm")
    let training: DenoisingTraining =
      switch try recorded.root.stringAttribute("cfg_loss") {
      case "VPLoss": .variancePreserving(VariancePreserving())
      case "VELoss": .varianceExploding
      default: .edm(sigmaData: 0.5)
      }
    let images = try recorded.images("images")
    let labels = try recorded.tensor("class_labels")
    let draws = StepDraws(
      latents: images, classLabels: labels.shape[1] > 0 ? labels : nil,
      levels: try recorded.tensor("plain/draws/" + (isEDM ? "00_randn" : "00_rand")).values,
      noise: try recorded.images("plain/draws/01_randn_like"))

    let tape = Tape()
    let bound = network.bound(to: tape)
    let loss = denoisingLoss(bound, tape: tape, images: images, training: training, draws: draws, batch: 4)
    let expected = try recorded.numbers("plain/loss_scalar_sum_over_batch")[0]
    #expect(
      abs(loss.objective / expected - 1) <= (isEDM ? 2e-6 : 6e-6) * slack,
      "\(name) \(mode): \(loss.objective), \(expected) expected")
    #expect(loss.countedImages == 4)
    try checkElements(network, images, draws, training, recorded, tolerance: (isEDM ? 1e-5 : 6e-5) * slack)

    let group = recorded.contains("plain/grad") ? "plain/grad/" : "plain/grad_first512/"
    var (difference, norm) = (0.0, 0.0)
    for (index, specification) in network.specifications.enumerated() where specification.isTrainable {
      let reference = try recorded.tensor(group + specification.name).values
      guard let gradient = bound.gradients[index] else {
        #expect(specification.name == "model.map_augment.weight" && reference.allSatisfy { $0 == 0 })
        continue
      }
      let values = network.stateDictOrder(gradient, of: index).values
      let distance = Distance(Array(values.prefix(reference.count)), reference)
      difference += distance.squares.difference
      norm += distance.squares.expected
    }
    let relative = (difference / norm).squareRoot()
    #expect(relative <= (isEDM ? 3e-5 : 3e-4) * slack, "\(name) \(mode), all gradients together: \(relative)")
  }

  /// The weighted squared error of every element.
  private func checkElements(
    _ network: Network, _ images: Tensor, _ draws: StepDraws, _ training: DenoisingTraining, _ recorded: Recorded,
    tolerance: Double
  ) throws {
    let sigma = draws.levels.map { training.sigma($0) }
    let noisy = combinedRows(images, sigma.map { _ in 1 }, draws.noise, sigma)
    let denoised = network.denoise(noisy, sigma: sigma, classLabels: draws.classLabels)
    let error = combinedRows(denoised, sigma.map { _ in 1 }, images, sigma.map { _ in -1 })
    let size = error.count / sigma.count
    let squares = error.values.enumerated().map { training.weight(sigma[$0 / size]) * $1 * $1 }
    let distance = Distance(
      Tensor(squares, shape: images.shape).nchw.values, try recorded.tensor("plain/loss_elementwise").values)
    #expect(distance.relative <= tolerance, "elements: \(distance)")
  }

  @Test("Augmentation labels reach the network, and its layer for them gets a gradient")
  func augmentLabels() throws {
    let recorded = try Recorded("golden/edm_loss/edm_ddpmpp_uncond.h5")
    let network = try loadNetwork("golden/checkpoints/edm_ddpmpp_uncond.pkl")
    let images = try recorded.images("images")
    let draws = StepDraws(
      latents: images, classLabels: nil, levels: [0, 1, -1, 0.5],
      noise: try recorded.images("plain/draws/01_randn_like"))
    func run(_ labels: Tensor?) -> (loss: Double, gradient: Tensor?) {
      let tape = Tape()
      let bound = network.bound(to: tape)
      let loss = denoisingLoss(
        bound, tape: tape, images: images, training: .edm(sigmaData: 0.5), draws: draws, augmentLabels: labels, batch: 4
      )
      let index = network.specifications.firstIndex { $0.name == "model.map_augment.weight" }
      return (loss.objective, index.flatMap { bound.gradients[$0] })
    }
    let (without, zeros, some) = (
      run(nil), run(Tensor(shape: [4, 9])), run(Tensor(shape: [4, 9], repeating: 0.5))
    )
    #expect(without.gradient == nil && zeros.gradient != nil)
    #expect(without.loss == zeros.loss && without.loss != some.loss)
    #expect(try #require(some.gradient).values.contains { $0 != 0 })
  }

  @Test("Training levels outside the network's range are moved to its ends; iDDPM's to its own levels")
  func ranges() throws {
    let exploding = try loadNetwork("golden/checkpoints/ve_ncsnpp_uncond.pkl").bound()
    #expect(exploding.nearestSigma(0.002) == 0.02 && exploding.nearestSigma(500) == 100)
    #expect(exploding.nearestSigma(3.7) == 3.7)
    let low = NoiseSchedule.generatorSigma(uniform: 0, tmax: 800, range: exploding.sigmaRange)
    #expect(abs(low - 0.02) < 1e-6)
    let discrete = try loadNetwork("golden/checkpoints/iddpm_adm_cond.pkl").bound()
    let sigma = discrete.nearestSigma(3.7)
    #expect(sigma != 3.7 && abs(sigma - 3.7) < 0.05 && discrete.nearestSigma(sigma) == sigma)
    let own = try loadNetwork("golden/checkpoints/edm_ddpmpp_uncond.pkl").bound()
    for level: Float in [1e-6, 0.002, 3.7, 80, 1e6] { #expect(own.nearestSigma(level) == level) }
  }
}
