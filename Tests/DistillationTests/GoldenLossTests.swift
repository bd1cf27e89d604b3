import Autograd
import Compute
import Denoising
import Distillation
import Models
import TestSupport
import Testing
import TrainingData

/// The two losses of SiD and their gradients, against the official implementation's numbers.
@Suite("SiD's losses equal the official ones", .serialized)
struct GoldenLossTests {
  static let names = ["losses_a", "losses_b"]
  static let cases = names.flatMap { name in KernelMode.allCases.map { (name, $0) } }

  /// The factor of the tolerances: Winograd tiles round a little more than the definition.
  static var slack: Double { KernelSet.mode == .exact ? 1 : 4 }

  struct Case {
    let recorded: Recorded
    let trueScore: Network, fakeScore: Network, generator: Network
    let latents: Tensor
    let classLabels: Tensor?

    init(_ name: String) throws {
      recorded = try Recorded("golden/sid/\(name).h5")
      trueScore = try Network(recorded: recorded, weights: "weights/true_score")
      fakeScore = try Network(recorded: recorded, weights: "weights/fake_score")
      generator = try Network(recorded: recorded, weights: "weights/generator")
      latents = try recorded.images("z_unit_normal")
      let labels = recorded.contains("class_labels") ? try recorded.tensor("class_labels") : nil
      classLabels = (labels?.shape[1] ?? 0) > 0 ? labels : nil
    }

    /// G(2.5 z; 2.5).
    func images(_ generator: BoundNetwork) -> Variable {
      let zeros = self.generator.configuration.augmentDim
      return generator(
        Variable(scaled(latents, by: 2.5)), sigma: [2.5], classLabels: classLabels,
        augmentLabels: zeros > 0 ? Tensor(shape: [latents.shape[0], zeros]) : nil)
    }

    /// Compares the gradients of a network with recorded ones.
    func checkGradients(_ network: Network, _ gradients: [Tensor?], _ group: String, name: String) throws {
      try GoldenLossTests.checkGradients(recorded, network, gradients, group, name: name)
    }
  }

  /// Compares the gradients of a network with recorded ones.
  static func checkGradients(
    _ recorded: Recorded, _ network: Network, _ gradients: [Tensor?], _ group: String, name: String
  ) throws {
    let recordedGroup = try recorded.root.group(group)
    var (difference, norm, compared) = (0.0, 0.0, 0)
    for (index, specification) in network.specifications.enumerated() where specification.isTrainable {
      if recordedGroup.hasAttribute("no_grad:" + specification.name) {
        #expect(gradients[index] == nil, "\(name) \(specification.name) has no gradient in the official run")
        continue
      }
      let expected = try recorded.tensor(group + "/" + specification.name).values
      guard let gradient = gradients[index] else {
        #expect(expected.allSatisfy { $0 == 0 }, "\(name) \(specification.name) has no gradient")
        continue
      }
      let values = Array(network.stateDictOrder(gradient, of: index).values.prefix(expected.count))
      let distance = Distance(values, expected)
      #expect(
        distance.relative <= 1e-4 * GoldenLossTests.slack || distance.maximum <= 1e-4 * GoldenLossTests.slack,
        "\(name) \(group) \(specification.name): \(distance)")
      difference += distance.squares.difference
      norm += distance.squares.expected
      compared += 1
    }
    #expect(compared > 100)
    #expect(
      (difference / norm).squareRoot() <= 3e-5 * GoldenLossTests.slack,
      "\(name) \(group), all together: \((difference / norm).squareRoot())")
  }

  @Test("Fake score", arguments: cases)
  func fakeScore(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try fakeScore(name) } }

  private func fakeScore(_ name: String) throws {
    let c = try Case(name)
    let images = c.images(c.generator.bound()).value
    let reference = Distance(images.nchw.values, try c.recorded.tensor("fake_score_loss/images").values)
    #expect(reference.maximum <= 2e-5 * GoldenLossTests.slack, "\(name) images: \(reference)")
    let draws = StepDraws(
      latents: c.latents, classLabels: c.classLabels,
      levels: try c.recorded.tensor("fake_score_loss/draws/P_normal_draw_randn").values,
      noise: try c.recorded.images("fake_score_loss/draws/n_unit_normal"))
    let sigma = Distance(
      draws.levels.map { DenoisingTraining.edm(sigmaData: 0.5).sigma($0) },
      try c.recorded.tensor("fake_score_loss/sigma").values)
    #expect(sigma.relative <= 1e-6)
    let tape = Tape()
    let network = c.fakeScore.bound(to: tape)
    let loss = fakeScoreLoss(network, tape: tape, images: images, draws: draws, sigmaData: 0.5, scale: 1, batch: 4)
    let expected = try c.recorded.numbers("fake_score_loss/loss")[0]
    #expect(
      abs(loss.objective / expected - 1) <= 3e-6 * GoldenLossTests.slack,
      "\(name): \(loss.objective), \(expected) expected")
    #expect(loss.countedImages == 4)
    try c.checkGradients(c.fakeScore, network.gradients, "fake_score_loss/grad_fake_score", name: name)
  }

  @Test("Fake score on augmented images", arguments: cases)
  func augmentedFakeScore(name: String, mode: KernelMode) throws {
    try KernelSet.with(mode) { try augmentedFakeScore(name) }
  }

  private func augmentedFakeScore(_ name: String) throws {
    let c = try Case(name)
    let group = "fake_score_loss_augmented"
    let images = c.images(c.generator.bound()).value
    let pipeline = AugmentationPipeline(probability: 0.5)
    let names = try c.recorded.names(group + "/draws").filter { $0.hasPrefix("augment_") }
    let augmentation = pipeline(
      try c.recorded.augmentationDraws(group + "/draws", names, pipeline), imageShape: Array(images.shape.dropFirst()))
    let labels = Distance(augmentation.labels.values, try c.recorded.tensor(group + "/augment_labels").values)
    #expect(labels.maximum <= 1e-6, "\(name) labels: \(labels)")
    let draws = StepDraws(
      latents: c.latents, classLabels: c.classLabels,
      levels: try c.recorded.tensor(group + "/draws/P_normal_draw_randn").values,
      noise: try c.recorded.images(group + "/draws/n_unit_normal"), augmentation: augmentation)
    let sigma = draws.levels.map { DenoisingTraining.edm(sigmaData: 0.5).sigma($0) }
    let noisy = combinedRows(augmentation(images), sigma.map { _ in 1 }, draws.noise, sigma)
    let augmented = Distance(noisy.nchw.values, try c.recorded.tensor(group + "/noisy_input").values)
    #expect(augmented.maximum <= 1e-4, "\(name) images: \(augmented)")
    let tape = Tape()
    let network = c.fakeScore.bound(to: tape)
    let loss = fakeScoreLoss(network, tape: tape, images: images, draws: draws, sigmaData: 0.5, scale: 1, batch: 4)
    let expected = try c.recorded.numbers(group + "/loss")[0]
    #expect(
      abs(loss.objective / expected - 1) <= 3e-6 * GoldenLossTests.slack,
      "\(name): \(loss.objective), \(expected) expected")
    try c.checkGradients(c.fakeScore, network.gradients, group + "/grad_fake_score", name: name)
  }

  @Test("One image that is no number cancels the step of all parameters but one", arguments: names)
  func nonFiniteImage(name: String) throws {
    let c = try Case(name)
    let group = "fake_score_loss_one_sample_nan"
    let draws = StepDraws(
      latents: c.latents, classLabels: c.classLabels,
      levels: try c.recorded.tensor(group + "/draws/P_normal_draw_randn").values,
      noise: try c.recorded.images(group + "/draws/n_unit_normal"))
    var images = c.images(c.generator.bound()).value
    let (width, channels) = (images.shape[2], images.shape[3])
    // Pixel [1, 0, 2, 3] of [N, C, H, W].
    let position = ((1 * images.shape[1] + 2) * width + 3) * channels
    images.withUnsafeMutableBufferPointer { $0[position] = .nan }
    let tape = Tape()
    let network = c.fakeScore.bound(to: tape)
    let loss = fakeScoreLoss(network, tape: tape, images: images, draws: draws, sigmaData: 0.5, scale: 1, batch: 4)
    #expect(loss.countedImages == 3)
    let expected = try c.recorded.numbers(group + "/loss")[0]
    #expect(abs(loss.objective / expected - 1) <= 3e-6 * GoldenLossTests.slack)
    var finite: [String] = []
    for (index, gradient) in network.gradients.enumerated() {
      guard let gradient else { continue }
      if gradient.isFinite { finite.append(c.fakeScore.specifications[index].name) }
    }
    #expect(finite.count == 1 && finite[0].hasSuffix("aux_conv.bias"), "finite gradients: \(finite)")
  }

  @Test("Generator", arguments: cases, [Float(1.0), 1.2])
  func generator(_ c: (name: String, mode: KernelMode), alpha: Float) throws {
    try KernelSet.with(c.mode) { try generator(c.name, alpha) }
  }

  private func generator(_ name: String, _ alpha: Float) throws {
    let c = try Case(name)
    let group = "generator_loss_alpha_\(alpha)"
    let draws = StepDraws(
      latents: c.latents, classLabels: c.classLabels,
      levels: try c.recorded.tensor("generator_loss_draws/t_uniform_01").values,
      noise: try c.recorded.images("generator_loss_draws/n_unit_normal"))
    let tape = Tape()
    let network = c.generator.bound(to: tape)
    var parts: GeneratorPass?
    let loss = generatorLoss(
      c.images(network), tape: tape, trueScore: c.trueScore.bound(), fakeScore: c.fakeScore.bound(), draws: draws,
      alpha: alpha, tmax: 800,
      scale: 100, batch: 4, inspect: { parts = $0 })
    let expected = try c.recorded.numbers(group + "/loss")[0]
    #expect(
      abs(loss.objective / expected - 1) <= 3e-6 * GoldenLossTests.slack,
      "\(name) \(alpha): \(loss.objective), \(expected) expected")
    let p = try #require(parts)
    #expect(Distance(p.sigma, try c.recorded.tensor(group + "/sigma").values).relative <= 1e-6)
    #expect(Distance(p.noisy.value.nchw.values, try c.recorded.tensor(group + "/noisy").values).relative <= 1e-6)
    #expect(
      Distance(p.real.value.nchw.values, try c.recorded.tensor(group + "/y_real").values).relative <= 5e-6
        * GoldenLossTests.slack)
    #expect(
      Distance(p.fake.value.nchw.values, try c.recorded.tensor(group + "/y_fake").values).relative <= 5e-6
        * GoldenLossTests.slack)
    #expect(
      Distance(p.weight, try c.recorded.tensor(group + "/weight_factor").values).relative <= 5e-6
        * GoldenLossTests.slack)
    try c.checkGradients(c.generator, network.gradients, group + "/grad_generator", name: name)
  }

  @Test("The gradient with respect to the images", arguments: cases)
  func imageGradient(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try imageGradient(name) } }

  private func imageGradient(_ name: String) throws {
    let c = try Case(name)
    for alpha in [Float(1.0), 1.2] {
      let group = "generator_loss_alpha_\(alpha)"
      let draws = StepDraws(
        latents: c.latents, classLabels: c.classLabels,
        levels: try c.recorded.tensor("generator_loss_draws/t_uniform_01").values,
        noise: try c.recorded.images("generator_loss_draws/n_unit_normal"))
      let tape = Tape()
      let images = tape.variable(try c.recorded.images(group + "/images"))
      _ = generatorLoss(
        images, tape: tape, trueScore: c.trueScore.bound(), fakeScore: c.fakeScore.bound(), draws: draws, alpha: alpha,
        tmax: 800, scale: 100,
        batch: 4)
      let distance = Distance(
        try #require(images.gradient).nchw.values, try c.recorded.tensor(group + "/grad_images").values)
      #expect(distance.relative <= 1e-5 * GoldenLossTests.slack, "\(name) \(alpha): \(distance)")
    }
  }
}
