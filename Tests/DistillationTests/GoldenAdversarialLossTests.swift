import Autograd
import Compute
import Denoising
import Distillation
import Foundation
import Models
import TestSupport
import Testing
import Training
import TrainingData

/// The losses of adversarial SiD (SiDA) and their gradients, against the official implementation's numbers.
@Suite("SiDA's losses equal the official ones", .serialized)
struct GoldenAdversarialLossTests {
  static let names = ["losses_a", "losses_b"]
  static let cases = names.flatMap { name in KernelMode.allCases.map { (name, $0) } }

  /// The factor of the tolerances: Winograd tiles round a little more than the definition.
  static var slack: Double { KernelSet.mode == .exact ? 1 : 4 }

  struct Case {
    let recorded: Recorded
    let trueScore: Network, generator: Network
    var fakeScore: Network
    let latents: Tensor, realImages: Tensor
    let classLabels: Tensor?
    let alpha: Float

    init(_ name: String) throws {
      recorded = try Recorded("golden/sida/\(name).h5")
      trueScore = try Network(recorded: recorded, weights: "weights/true_score")
      fakeScore = try Network(recorded: recorded, weights: "weights/fake_score")
      generator = try Network(recorded: recorded, weights: "weights/generator")
      latents = try recorded.images("z_unit_normal")
      let bytes = try recorded.images("real_images_uint8")
      realImages = Tensor(bytes.values.map { $0 / 127.5 - 1 }, shape: bytes.shape)
      let labels = try recorded.tensor("class_labels")
      classLabels = labels.shape[1] > 0 ? labels : nil
      alpha = Float(try recorded.root.doubleAttribute("cfg_alpha"))
    }

    func labels(_ images: Int) -> Tensor { Tensor(shape: [images, 9]) }

    /// G(2.5 z; 2.5) of some of the images.
    func images(_ generator: BoundNetwork, _ rows: Range<Int>) -> Variable {
      generator(
        Variable(scaled(latents.rows(rows), by: 2.5)), sigma: [2.5], classLabels: classLabels?.rows(rows),
        augmentLabels: labels(rows.count))
    }

    /// The draws of a step for some of the images.
    func draws(_ group: String, _ level: String, _ rows: Range<Int>) throws -> StepDraws {
      var draws = StepDraws(
        latents: latents.rows(rows), classLabels: classLabels?.rows(rows),
        levels: Array(try recorded.tensor("\(group)/draws/\(level)").values[rows]),
        noise: try recorded.images("\(group)/draws/n_unit_normal").rows(rows))
      let names = try recorded.names(group + "/draws")
      func augmentation(_ prefix: String) throws -> Augmentation? {
        let own = names.filter { $0.hasPrefix(prefix) }
        if own.isEmpty { return nil }
        let pipeline = AugmentationPipeline(probability: 0.5)
        return pipeline(
          try recorded.augmentationDraws(group + "/draws", own, pipeline), imageShape: generator.imageShape)
      }
      draws.augmentation = try augmentation("augment_fake")
      draws.real.augmentation = try augmentation("augment_real")
      return draws
    }

    /// The passes of the fake score's step.
    func fakePass(
      _ fakeScore: BoundNetwork, _ group: String, rows: Range<Int> = 0..<4, images: Tensor? = nil,
      over averaged: AdversarialSettings.Group = .microbatch
    ) throws -> AdversarialPass {
      let draws = try draws(group, "P_normal_draw_randn", rows)
      let generated = images ?? self.images(generator.bound(), rows).value
      let real = realImages.rows(rows)
      let denoising = DenoisingPass(
        fakeScore, images: draws.augmentation?(generated) ?? generated, training: .edm(sigmaData: 0.5),
        levels: draws.levels, noise: draws.noise, classLabels: draws.classLabels,
        augmentLabels: draws.augmentation?.labels ?? labels(rows.count), batch: 4)
      return AdversarialPass(
        denoising, fakeScore, real: draws.real.augmentation?(real) ?? real, draws: draws,
        augmentLabels: draws.real.augmentation?.labels ?? labels(rows.count), group: averaged)
    }

    /// The passes of the generator's step.
    func generatorPass(_ images: Variable, rows: Range<Int> = 0..<4) throws -> GeneratorPass {
      GeneratorPass(
        images, trueScore: trueScore.bound(), fakeScore: fakeScore.bound(),
        draws: try draws("generator_step", "t_uniform_01", rows), tmax: 800, batch: 4)
    }

    /// Gradients of the fake score, in the order of the flat records, for an objective of its step over some rounds.
    func fakeGradients(
      _ objective: some Objective<AdversarialPass>, _ group: String, rounds: [Range<Int>] = [0..<4],
      images: Tensor? = nil, over averaged: AdversarialSettings.Group = .microbatch
    ) throws -> (values: [ObjectiveValue], gradients: [Tensor?]) {
      try sum(fakeScore, rounds) { network, rows in
        objective(try fakePass(network, group, rows: rows, images: images, over: averaged))
      }
    }

    /// Gradients of the generator for an objective of its step over some rounds.
    func generatorGradients(
      _ objective: some Objective<GeneratorPass>, rounds: [Range<Int>] = [0..<4], adding constant: Tensor? = nil
    ) throws -> (values: [ObjectiveValue], gradients: [Tensor?]) {
      try sum(generator, rounds) { network, rows in
        let images = images(network, rows)
        return objective(try generatorPass(constant.map { adding(images, constant: $0) } ?? images, rows: rows))
      }
    }

    private func sum(
      _ network: Network, _ rounds: [Range<Int>], _ step: (BoundNetwork, Range<Int>) throws -> ObjectiveValue
    ) throws -> (values: [ObjectiveValue], gradients: [Tensor?]) {
      var sums = [Tensor?](repeating: nil, count: network.specifications.count)
      let values = try rounds.map { rows in
        let tape = Tape()
        let bound = network.bound(to: tape)
        let value = try step(bound, rows)
        tape.backward(from: value.starts)
        for (index, gradient) in bound.gradients.enumerated() {
          guard let gradient else { continue }
          if sums[index] == nil { sums[index] = gradient } else { sums[index]?.add(gradient) }
        }
        return value
      }
      return (values, sums)
    }

    /// Gradients as one vector in the order of the file.
    func flat(_ gradients: [Tensor?]) throws -> [Float] {
      let order = try JSONDecoder().decode(
        [String].self, from: Data(try recorded.root.stringAttribute("parameter_order").utf8))
      return try order.flatMap { name in
        let index = try #require(fakeScore.specifications.firstIndex { $0.name == name })
        return gradients[index].map { fakeScore.stateDictOrder($0, of: index).values }
          ?? [Float](repeating: 0, count: fakeScore.specifications[index].shape.reduce(1, *))
      }
    }

    /// Multiplies the tensor of the fake score that makes the logits large.
    mutating func enlargeLogits() throws {
      let group = try recorded.root.group("clamp_case")
      let name = try group.stringAttribute("scaled_tensor_of_the_fake_score")
      let index = try #require(fakeScore.specifications.firstIndex { $0.name == name })
      fakeScore.parameters[index] = scaled(
        fakeScore.parameters[index], by: Float(try group.doubleAttribute("factor")))
    }

    // MARK: Comparisons

    func expectFlat(
      _ gradients: [Tensor?], _ name: String, tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      let distance = Distance(try flat(gradients), try recorded.tensor(name).values)
      #expect(distance.relative <= tolerance * slack, "\(name): \(distance)", sourceLocation: sourceLocation)
    }

    /// Compares gradients with a group of recorded ones: all together, and each.
    func expectEach(_ gradients: [Tensor?], _ group: String, _ tolerance: Double) throws {
      var (difference, norm) = (0.0, 0.0)
      for (index, specification) in fakeScore.specifications.enumerated() where specification.isTrainable {
        let expected = try recorded.tensor(group + "/" + specification.name).values
        let gradient = try #require(gradients[index], "\(specification.name) has no gradient")
        let distance = Distance(fakeScore.stateDictOrder(gradient, of: index).values, expected)
        #expect(
          distance.relative <= 2e-4 * slack || distance.maximum <= 1e-6 * slack,
          "\(group) \(specification.name): \(distance)")
        difference += distance.squares.difference
        norm += distance.squares.expected
      }
      #expect((difference / norm).squareRoot() <= tolerance * slack, "\(group): \((difference / norm).squareRoot())")
    }

    func expect(
      _ measured: Double?, _ name: String, tolerance: Double = 3e-6, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      let (value, expected) = (try #require(measured), try recorded.numbers(name + "_fp64")[0])
      #expect(
        abs(value / expected - 1) <= tolerance * slack, "\(name): \(value), \(expected) expected",
        sourceLocation: sourceLocation)
    }

    func expectLogits(_ map: LogitMap, _ name: String) throws {
      let distance = Distance(map.values.map(Float.init), try recorded.tensor(name).values)
      #expect(distance.relative <= 1e-5 * slack, "\(name): \(distance)")
    }

    /// The gradient with respect to the logits: that of the features, summed over channels.
    func logitGradient(_ gradient: Tensor) -> [Float] {
      let channels = gradient.shape[3]
      let values = gradient.values
      return stride(from: 0, to: values.count, by: channels).map { values[$0..<$0 + channels].reduce(0, +) }
    }
  }

  static let denoising = DenoisingLoss(scale: 1)
  static let discriminator = DiscriminatorLoss(scale: 1, group: .microbatch)
  static let fakeObjective = AdversarialDenoisingLoss(denoising, discriminator)
  static let adversarial = AdversarialLoss(scale: 0.01, group: .microbatch)
  static func both(_ alpha: Float) -> ObjectiveSum<GeneratorPass> {
    ObjectiveSum(
      WeightedObjective(0.5, GeneratorLoss(alpha: alpha, scale: 100)), WeightedObjective(0.5, adversarial))
  }

  /// The denoising loss alone of a step with both.
  struct DenoisingAlone: Objective {
    func callAsFunction(_ pass: AdversarialPass) -> ObjectiveValue { denoising(pass.denoising) }
  }

  @Test("The fake score's step", arguments: cases, ["fake_step", "fake_step_augmented"])
  func fakeStep(_ c: (name: String, mode: KernelMode), group: String) throws {
    try KernelSet.with(c.mode) { try fakeStep(try Case(c.name), group) }
  }

  private func fakeStep(_ c: Case, _ group: String) throws {
    let pass = try c.fakePass(c.fakeScore.bound(), group)
    for (tensor, name, tolerance) in [
      (pass.denoising.images, group == "fake_step" ? "generated_images" : "augmented_fake", 2e-5),
      (pass.denoising.output.value, "fake_score_output", group == "fake_step" ? 2e-5 : 1e-4),
    ] {
      let distance = Distance(tensor.nchw.values, try c.recorded.tensor("\(group)/\(name)").values)
      #expect(distance.maximum <= tolerance * Self.slack, "\(group)/\(name): \(distance)")
    }
    #expect(Distance(pass.denoising.weight, try c.recorded.tensor(group + "/weight").values).relative < 1e-6)
    try c.expectLogits(pass.fake, group + "/logits_fake")
    try c.expectLogits(pass.real, group + "/logits_real")
    if let augmentation = try c.draws(group, "P_normal_draw_randn", 0..<4).real.augmentation {
      let real = Distance(
        augmentation(c.realImages).nchw.values, try c.recorded.tensor(group + "/augmented_real").values)
      #expect(real.maximum <= 2e-5, "\(real)")
      let labels = Distance(augmentation.labels.values, try c.recorded.tensor(group + "/augment_labels_real").values)
      #expect(labels.maximum <= 1e-6)
    }
    for (start, name) in zip(Self.discriminator(pass).starts, ["fake", "real"])
    where c.recorded.contains("\(group)/grad_logits_\(name)") {
      let distance = Distance(
        c.logitGradient(start.gradient), try c.recorded.tensor("\(group)/grad_logits_\(name)").values)
      #expect(distance.relative <= 1e-5 * Self.slack, "\(group) logits \(name): \(distance)")
    }

    let (values, gradients) = try c.fakeGradients(Self.fakeObjective, group)
    let value = values[0]
    #expect(value.countedImages == 4)
    for (figure, name) in [
      ("b_real", "b_real"), ("b_fake", "b_fake"), ("denoising", "loss_denoising"),
      ("discriminator", "loss_discriminator"),
    ] { try c.expect(value.figures[figure], "\(group)/\(name)") }
    try c.expect(value.value, group + "/objective")
    if group == "fake_step" {
      try c.expectEach(gradients, group + "/grad_before_clip", 1e-5)
      try c.expectFlat(
        try c.fakeGradients(DenoisingAlone(), group).gradients, group + "/grad_of_denoising_term_alone_flat",
        tolerance: 1e-5)
      try c.expectFlat(
        try c.fakeGradients(Self.discriminator, group).gradients, group + "/grad_of_discriminator_term_alone_flat",
        tolerance: 1e-5)
    } else {
      try c.expectFlat(gradients, group + "/grad_before_clip_flat", tolerance: 1e-5)
    }
    let flat = try c.flat(gradients)
    let clipped = Distance(
      flat.map { min(max($0, -1), 1) }, try c.recorded.tensor(group + "/grad_after_clip_flat").values)
    #expect(clipped.relative <= 3e-5 * Self.slack, "clipped: \(clipped)")
    let count = try c.recorded.root.group(group).intAttribute("elements_changed_by_clip")
    #expect(abs(flat.count { abs($0) > 1 } - count) <= 5)
  }

  @Test("One image that is no number is left out of both losses, and cancels the step of all but one", arguments: names)
  func nonFiniteImage(name: String) throws {
    try KernelSet.with(.exact) {
      let (c, group) = (try Case(name), "fake_step_one_sample_nan")
      var images = c.images(c.generator.bound(), 0..<4).value
      let position = ((1 * images.shape[1] + 2) * images.shape[2] + 3) * images.shape[3]
      images.withUnsafeMutableBufferPointer { $0[position] = .nan }
      let (values, gradients) = try c.fakeGradients(Self.fakeObjective, "fake_step", images: images)
      #expect(values[0].countedImages == 3)
      for (figure, name) in [
        ("b_real", "b_real"), ("b_fake", "b_fake"), ("denoising", "loss_denoising"),
        ("discriminator", "loss_discriminator"),
      ] { try c.expect(values[0].figures[figure], "\(group)/\(name)") }
      try c.expect(values[0].value, group + "/objective")
      // What is no number counts as 0.
      let effective = zip(c.fakeScore.specifications, gradients).filter { specification, gradient in
        specification.isTrainable && gradient?.values.contains { $0 != 0 && !$0.isNaN } == true
      }
      let names = try c.recorded.names(group + "/grad_before_clip")
      #expect(effective.map(\.0.name) == names && names.count == 1)
      for (specification, gradient) in effective {
        let expected = try c.recorded.tensor("\(group)/grad_before_clip/\(specification.name)").values
        #expect(Distance(try #require(gradient).values, expected).relative < 1e-5)
      }
    }
  }

  @Test("The generator's step", arguments: cases)
  func generatorStep(name: String, mode: KernelMode) throws {
    try KernelSet.with(mode) { try generatorStep(try Case(name)) }
  }

  private func generatorStep(_ c: Case) throws {
    let group = "generator_step"
    let tape = Tape()
    let pass = try c.generatorPass(c.images(c.generator.bound(to: tape), 0..<4))
    try c.expectLogits(LogitMap(pass.features, isClamped: true), group + "/logits")
    #expect(
      Distance(pass.weight, try c.recorded.tensor(group + "/weight_factor").values).relative <= 5e-6 * Self.slack)
    let logits = Distance(
      c.logitGradient(Self.adversarial(pass).starts[0].gradient),
      try c.recorded.tensor(group + "/grad_logits_of_gan_alone").values)
    #expect(logits.relative <= 1e-5 * Self.slack, "\(logits)")

    let sid = GeneratorLoss(alpha: c.alpha, scale: 100)
    let (values, gradients) = try c.generatorGradients(Self.both(c.alpha))
    for (figure, name) in [("b_gen", "b_gen"), ("distillation", "loss_sid"), ("adversarial", "loss_gan")] {
      try c.expect(values[0].figures[figure], "\(group)/\(name)")
    }
    try c.expect(values[0].value, group + "/objective_both", tolerance: 5e-6)
    try c.expectEach(gradients, group + "/grad_generator_of_both", 2e-5)
    try c.expectFlat(
      try c.generatorGradients(sid).gradients, group + "/grad_generator_of_sid_alone_flat", tolerance: 2e-5)
    try c.expectFlat(
      try c.generatorGradients(Self.adversarial).gradients, group + "/grad_generator_of_gan_alone_flat", tolerance: 2e-5
    )
    for (objective, name) in [
      (Self.both(c.alpha), "both"), (ObjectiveSum(sid), "sid_alone"), (ObjectiveSum(Self.adversarial), "gan_alone"),
    ] {
      let tape = Tape()
      let images = tape.variable(try c.recorded.images(group + "/generated_images"))
      tape.backward(from: objective(try c.generatorPass(images)).starts)
      let distance = Distance(
        try #require(images.gradient).nchw.values, try c.recorded.tensor("\(group)/grad_images_of_\(name)").values)
      #expect(distance.relative <= 2e-5 * Self.slack, "images, \(name): \(distance)")
    }
  }

  @Test("An image of the generator that is no number cancels its step once the losses are both there", arguments: names)
  func nonFiniteGeneratedImage(name: String) throws {
    try KernelSet.with(.exact) {
      let c = try Case(name)
      var constant = Tensor(shape: c.latents.shape)
      let position = ((1 * constant.shape[1] + 2) * constant.shape[2] + 3) * constant.shape[3]
      constant.withUnsafeMutableBufferPointer { $0[position] = .nan }
      let (values, gradients) = try c.generatorGradients(Self.both(c.alpha), adding: constant)
      #expect(values[0].countedImages == 3 && values[0].value.isFinite)
      let text = try c.recorded.root.group("generator_step").stringAttribute(
        "with_pixel_1_0_2_3_of_the_images_set_to_nan")
      let recorded = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      let sid = try #require(values[0].figures["distillation"])
      #expect(abs(sid / (try #require(recorded["loss_sid"] as? Double)) - 1) <= 3e-6)
      #expect(recorded["nonzero_gradient_tensors"] as? Int == 0)
      #expect(gradients.allSatisfy { $0?.values.allSatisfy { $0.isNaN || $0 == 0 } != false })
    }
  }

  @Test("A batch in two rounds: cross-entropies are averaged over each", arguments: cases)
  func rounds(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try rounds(try Case(name)) } }

  private func rounds(_ c: Case) throws {
    let rounds = [0..<2, 2..<4]
    let fake = try c.fakeGradients(Self.fakeObjective, "fake_step", rounds: rounds)
    let generator = try c.generatorGradients(Self.both(c.alpha), rounds: rounds)
    for round in 0..<2 {
      let (f, g) = ("rounds_2x2/fake_step/round_\(round)", "rounds_2x2/generator_step/round_\(round)")
      for (figure, name) in [
        ("b_real", "b_real"), ("b_fake", "b_fake"), ("denoising", "loss_denoising"),
        ("discriminator", "loss_discriminator"),
      ] { try c.expect(fake.values[round].figures[figure], "\(f)/\(name)") }
      for (figure, name) in [("b_gen", "b_gen"), ("distillation", "loss_sid"), ("adversarial", "loss_gan")] {
        try c.expect(generator.values[round].figures[figure], "\(g)/\(name)")
      }
      try c.expect(fake.values[round].value, f + "/objective")
      try c.expect(generator.values[round].value, g + "/objective_both", tolerance: 5e-6)
    }
    try c.expectFlat(fake.gradients, "rounds_2x2/fake_step/grad_before_clip_flat", tolerance: 1e-5)
    try c.expectFlat(generator.gradients, "rounds_2x2/generator_step/grad_generator_of_both_flat", tolerance: 2e-5)
    try c.expectFlat(
      try c.generatorGradients(Self.adversarial, rounds: rounds).gradients,
      "rounds_2x2/generator_step/grad_generator_of_gan_alone_flat", tolerance: 2e-5)
  }

  @Test("Large logits: the generator's are clamped, the discriminator's are not", arguments: cases)
  func clamp(name: String, mode: KernelMode) throws { try KernelSet.with(mode) { try clamp(name) } }

  private func clamp(_ name: String) throws {
    var c = try Case(name)
    try c.enlargeLogits()
    let (f, g) = ("clamp_case/fake_step", "clamp_case/generator_step")
    let pass = try c.fakePass(c.fakeScore.bound(), "fake_step")
    try c.expectLogits(pass.fake, f + "/logits_fake")
    try c.expectLogits(pass.real, f + "/logits_real")
    let fake = try c.fakeGradients(Self.fakeObjective, "fake_step")
    for (figure, name) in [
      ("b_real", "b_real"), ("b_fake", "b_fake"), ("denoising", "loss_denoising"),
      ("discriminator", "loss_discriminator"),
    ] { try c.expect(fake.values[0].figures[figure], "\(f)/\(name)") }
    try c.expectFlat(fake.gradients, f + "/grad_before_clip_flat", tolerance: 1e-5)

    let tape = Tape()
    let images = tape.variable(try c.recorded.images("generator_step/generated_images"))
    let generated = try c.generatorPass(images)
    let logits = LogitMap(generated.features, isClamped: true)
    try c.expectLogits(logits, g + "/logits")
    let value = Self.adversarial(generated)
    try c.expect(value.figures["b_gen"], g + "/b_gen")
    try c.expect(value.value, g + "/loss_gan")
    let gradient = c.logitGradient(value.starts[0].gradient)
    #expect(
      Distance(gradient, try c.recorded.tensor(g + "/grad_logits_of_gan_alone").values).relative <= 1e-5 * Self.slack)
    let outside = try c.recorded.root.group("clamp_case").intAttribute("logits_outside_the_clamp")
    #expect(zip(logits.values, gradient).count { abs($0) > 10 && $1 == 0 } == outside)
    tape.backward(from: value.starts)
    let distance = Distance(
      try #require(images.gradient).nchw.values, try c.recorded.tensor(g + "/grad_images_of_gan_alone").values)
    #expect(distance.relative <= 2e-5 * Self.slack, "\(distance)")
    try c.expectFlat(
      try c.generatorGradients(Self.adversarial).gradients, g + "/grad_generator_of_gan_alone_flat", tolerance: 2e-5)
    try c.expect(try c.generatorGradients(Self.both(c.alpha)).values[0].value, g + "/objective_both", tolerance: 5e-6)
  }

  @Test("Averaged over each image, losses do not know how a batch is cut", arguments: names)
  func perImage(name: String) throws {
    try KernelSet.with(.exact) {
      let c = try Case(name)
      let discriminator = DiscriminatorLoss(scale: 1, group: .image)
      let adversarial = AdversarialLoss(scale: 0.01, group: .image)
      for rounds in [[0..<4], [0..<2, 2..<4], [0..<1, 1..<4]] {
        let fake = try c.fakeGradients(discriminator, "fake_step", rounds: rounds, over: .image)
        let generator = try c.generatorGradients(adversarial, rounds: rounds)
        let whole = (
          try c.fakeGradients(discriminator, "fake_step", over: .image), try c.generatorGradients(adversarial)
        )
        for (part, all) in [(fake, whole.0), (generator, whole.1)] {
          let sum = part.values.reduce(0) { $0 + $1.value }
          #expect(abs(sum / all.values[0].value - 1) < 1e-9)
          #expect(Distance(try c.flat(part.gradients), try c.flat(all.gradients)).relative < 1e-5)
        }
      }
      // From the recorded logits: K times the cross-entropies of each image, halved; or by its own omega.
      func entropies(_ name: String, _ sign: Double) throws -> [Double] {
        let logits = try c.recorded.numbers(name)
        let places = logits.count / 4
        return (0..<4).map { n in
          logits[n * places..<(n + 1) * places].reduce(0.0) { $0 + log1p(exp(sign * $1)) } / Double(places)
        }
      }
      let (real, fake) = (
        try entropies("fake_step/logits_real", -1), try entropies("fake_step/logits_fake", 1)
      )
      let values = Double(c.realImages.count / 4)
      let expected = values / 4 * zip(real, fake).reduce(0) { $0 + ($1.0 + $1.1) / 2 }
      let pass = try c.fakePass(c.fakeScore.bound(), "fake_step", over: .image)
      #expect(abs(discriminator(pass).value / expected - 1) < 3e-6)
      let omega = try c.recorded.numbers("generator_step/weight_factor")
      let generated = try entropies("generator_step/logits", -1)
      let loss = 0.01 * values / 4 * zip(generated, omega).reduce(0) { $0 + $1.0 / $1.1 }
      let images = Variable(try c.recorded.images("generator_step/generated_images"))
      #expect(abs(adversarial(try c.generatorPass(images)).value / loss - 1) < 1e-5)
    }
  }

  @Test("The adversarial loss joins where more images were seen than its start")
  func weights() {
    let settings = AdversarialSettings()
    #expect(settings.weights(afterImages: 200_000) == (1, 0))
    #expect(settings.weights(afterImages: 200_001) == (0.5, 0.5))
    #expect(settings.generatorStartImages == 100_000)
  }
}
