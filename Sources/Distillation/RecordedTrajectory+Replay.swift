import Compute
import Diagnostics
import Models
import Training
import TrainingData

extension RecordedTrajectory {
  /// How far one result is from its record.
  public typealias Comparison = RecordedComparison

  /// What a mode of the kernels may differ by.
  ///
  /// By the definition rounding is as in the official run. In Winograd tiles it is larger, and the first steps of Adam turn
  /// the sign of every gradient that is rounding noise into a whole step.
  struct Tolerance {
    let fakeScoreLoss: Double, generatorLoss: Double
    let firstFakeScoreNorms: Double, firstGeneratorNorms: Double, laterNorms: Double
    let weights: Double, moments: Double
    /// Of the denoising loss beside a discriminator's.
    let denoisingLoss: Double
    /// Of the discriminator's and the generator's adversarial losses, and of the cross-entropies in them.
    let adversarialLoss: Double
    /// Norms of gradients that were cut to the limit, and how many elements were.
    let firstClippedNorms: Double, clippedElements: Double
    /// - Parameter isAdversarial: whether an adversarial loss is in the generator's gradients: recorded ones agree to 2e-5 then.
    init(_ mode: KernelMode, isAdversarial: Bool) {
      let isExact = mode == .exact
      let firstNorms = isAdversarial ? 2e-5 : 1e-5
      (fakeScoreLoss, generatorLoss) = isExact ? (1e-5, 1e-4) : (2e-4, 2e-3)
      (denoisingLoss, adversarialLoss) = isExact ? (3e-6, 1e-5) : (2e-4, 2e-4)
      (firstClippedNorms, clippedElements) = isExact ? (3e-5, 5) : (2e-4, 20)
      (firstFakeScoreNorms, firstGeneratorNorms, laterNorms) = isExact ? (1e-5, firstNorms, 1e-3) : (2e-4, 1e-2, 1e-2)
      (weights, moments) = isExact ? (1e-3, 1e-3) : (0.02, 1e-2)
    }
  }

  /// What was seen of a replay.
  private struct Measured {
    /// Of each micro-batch of a turn, what its objective is made of.
    var figures: [String: [[String: Double]]] = [:]
    /// Of each iteration, the norm of each parameter's gradient.
    var norms: [String: [[Double]]] = [:]
    /// The same of the fake score's gradient within its limit, and how many elements were cut.
    var clippedNorms: [[Double]] = []
    var clippedElements: [Int] = []
  }

  /// Trains as the record says, and compares losses, gradients, weights and moments.
  ///
  /// - Parameters:
  ///   - teacher: the true score.
  ///   - state: where the training begins, with the settings' cut; nil where all networks begin as the teacher.
  ///   - mode: the kernels' mode, from which the tolerances follow.
  ///   - progress: is told how many iterations are done.
  /// - Throws: a `Failure` naming what in the file does not fit; what `progress` throws.
  public func replay(
    teacher: Network, from state: TrainingState? = nil, mode: KernelMode = KernelSet.mode,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [Comparison] {
    let start = state ?? TrainingState(teacher: teacher, settings: settings, imagesSeen: firstImage)
    guard start.networks.allSatisfy({ $0.network.specifications == teacher.specifications }) else {
      throw Failure(.dataError, path, "the start and the teacher have different architectures")
    }
    guard start.imagesSeen == firstImage, start.isBetweenIterations else {
      throw Failure(
        .dataError, path, "was recorded after \(firstImage) images; the state has seen \(start.imagesSeen)")
    }
    try check(teacher)
    let before = [start.fakeScore, start.generator, start.generatorEMA]
    let distillation = Distillation(
      teacher: teacher, settings: settings, draws: try draws(for: teacher), realImages: try realImages(for: teacher))
    let loop = try distillation.loop(from: start)
    var measured = Measured()
    let limit = settings.adversarial?.gradientClip
    loop.inspectObjective = { measured.figures[$0, default: []].append($1.figures) }
    loop.inspectGradients = { turn, gradients in
      let trained = zip(teacher.specifications, gradients).filter { $0.0.isTrainable }.map { $1?.values ?? [] }
      measured.norms[turn, default: []].append(trained.map(euclideanNorm))
      guard let limit, turn == DistillationPhase.fakeScore.network else { return }
      measured.clippedNorms.append(trained.map { euclideanNorm($0.map { min(max($0, -limit), limit) }) })
      measured.clippedElements.append(trained.reduce(0) { $0 + $1.count { abs($0) > limit } })
    }
    for iteration in 0..<iterations {
      do {
        while try loop.advance() == nil {}
      } catch let failure as Failure where failure.status == .software {
        throw Failure(
          .dataError, path, "its iteration \(iteration) leaves the finite numbers",
          remedy: "the record is damaged, or belongs to another start")
      }
      try progress(iteration + 1)
    }
    return try compare(measured, before, loop.state, Tolerance(mode, isAdversarial: settings.adversarial != nil))
  }

  /// Refuses a teacher that the settings are not for.
  private func check(_ teacher: Network) throws {
    let (labels, range) = (teacher.configuration.augmentDim, teacher.configuration.sigmaRange)
    guard
      settings.augment <= 0 || labels == 0
        || labels == AugmentationPipeline(probability: settings.augment).labelCount
    else {
      throw Failure(
        .dataError, path, "was recorded with EDM's augmentations; the teacher takes \(labels) augmentation labels")
    }
    guard range.contains(Double(settings.initSigma)) else {
      throw Failure(
        .dataError, path,
        "has init_sigma \(settings.initSigma); the teacher knows \(range.lowerBound) to \(range.upperBound)")
    }
  }

  private func compare(
    _ measured: Measured, _ before: [Network], _ end: TrainingState, _ tolerance: Tolerance
  ) throws -> [Comparison] {
    var results: [Comparison] = []
    for phase in [DistillationPhase.fakeScore, .generator] {
      results += try compareLosses(phase, measured.figures[phase.network] ?? [], tolerance)
      results += try compareNorms(phase, measured, tolerance)
    }
    for (name, before, after) in [
      ("fake_score", before[0], end.fakeScore), ("generator", before[1], end.generator),
      ("generator_ema", before[2], end.generatorEMA),
    ] {
      guard let recorded = try finalWeights(name, after.specifications) else { continue }
      results.append(
        try RecordedComparison(weightsOf: name, after, from: before, recorded, tolerance: tolerance.weights, path: path)
      )
    }
    for trained in end.networks {
      guard let recorded = try numbers("final_adam_l2/" + trained.name, "exp_avg_sq") else { continue }
      let measured = zip(trained.network.specifications, trained.adam.moments).filter { $0.0.isTrainable }
        .compactMap { $1.map { euclideanNorm($0.second.values) } }
      try requireCount(recorded, measured.count, "final_adam_l2/\(trained.name)/exp_avg_sq")
      results.append(
        Comparison(
          name: "\(trained.name) second moments", error: relativeDistance(measured, recorded),
          tolerance: tolerance.moments))
    }
    guard results.contains(where: { $0.name.contains(" weights, ") }) else {
      throw Failure(.dataError, path, "it has no `final_weights` to compare with")
    }
    return results
  }

  /// The losses of a turn, of which the official loop logs the last round of each iteration, and the cross-entropies in them.
  private func compareLosses(_ phase: DistillationPhase, _ figures: [[String: Double]], _ tolerance: Tolerance) throws
    -> [Comparison]
  {
    var results: [Comparison] = []
    let rounds = settings.cut.count
    let (isAdversarial, isFake) = (settings.adversarial != nil, phase == .fakeScore)
    let losses: [(record: String, figure: String, tolerance: Double)] =
      switch (isAdversarial, phase) {
      case (false, .fakeScore): [("fake_score", "denoising", tolerance.fakeScoreLoss)]
      case (false, .generator): [("generator", "distillation", tolerance.generatorLoss)]
      case (true, .fakeScore):
        [
          ("fake_score_denoising", "denoising", tolerance.denoisingLoss),
          ("discriminator", "discriminator", tolerance.adversarialLoss),
        ]
      case (true, .generator):
        [
          ("generator_sid", "distillation", tolerance.generatorLoss),
          ("generator_gan", "adversarial", tolerance.adversarialLoss),
        ]
      }
    for loss in losses {
      guard let recorded = try numbers("losses", loss.record + "_last_round") else { continue }
      try requireCount(recorded, iterations, "losses/\(loss.record)_last_round")
      let largest = recorded.map(abs).max() ?? 0
      for iteration in 0..<iterations {
        let measured = figures[iteration * rounds + rounds - 1][loss.figure] ?? .nan
        results.append(
          Comparison(
            name: "\(loss.record) loss, iteration \(iteration)", error: abs(measured - recorded[iteration]) / largest,
            tolerance: loss.tolerance))
      }
    }
    guard isAdversarial else { return results }
    for figure in isFake ? ["b_real", "b_fake"] : ["b_gen"] {
      var error = 0.0
      for (index, measured) in figures.enumerated() {
        let group = try file.root.group("iteration_\(index / rounds)/\(phase.network)_step/round_\(index % rounds)")
        guard group.hasAttribute(figure) else { continue }
        error = max(error, abs((measured[figure] ?? .nan) / (try group.doubleAttribute(figure)) - 1))
      }
      results.append(Comparison(name: "\(figure), all rounds", error: error, tolerance: tolerance.adversarialLoss))
    }
    return results
  }

  /// The gradient norms of a turn; where the gradients have a limit, before and behind it.
  private func compareNorms(_ phase: DistillationPhase, _ measured: Measured, _ tolerance: Tolerance) throws
    -> [Comparison]
  {
    var results: [Comparison] = []
    let (name, isFake) = (phase.network, phase == .fakeScore)
    let first = isFake ? tolerance.firstFakeScoreNorms : tolerance.firstGeneratorNorms
    func compare(_ suffix: String, _ title: String, _ norms: [[Double]], _ first: Double, _ iteration: Int) throws {
      let (group, record) = ("iteration_\(iteration)", name + "_grad_l2_per_tensor" + suffix)
      guard let recorded = try numbers(group, record) else { return }
      try requireCount(recorded, norms[iteration].count, "\(group)/\(record)")
      results.append(
        Comparison(
          name: "\(name) \(title), iteration \(iteration)", error: relativeDistance(norms[iteration], recorded),
          tolerance: iteration == 0 ? first : tolerance.laterNorms))
    }
    for iteration in 0..<iterations {
      guard let norms = measured.norms[name] else { continue }
      guard isFake, settings.adversarial?.gradientClip != nil else {
        try compare("", "gradient norms", norms, first, iteration)
        continue
      }
      try compare("_before_clip", "gradient norms", norms, first, iteration)
      try compare("_after_clip", "clipped norms", measured.clippedNorms, tolerance.firstClippedNorms, iteration)
      let group = try file.root.group("iteration_\(iteration)")
      guard group.hasAttribute("fake_score_elements_clipped") else { continue }
      let recorded = try group.doubleAttribute("fake_score_elements_clipped")
      results.append(
        Comparison(
          name: "\(name) elements clipped, iteration \(iteration)",
          error: abs(Double(measured.clippedElements[iteration]) - recorded), tolerance: tolerance.clippedElements))
    }
    return results
  }

  private func requireCount(_ values: [some Any], _ count: Int, _ name: String) throws {
    try RecordedComparison.requireCount(values, count, name, path: path)
  }
}
