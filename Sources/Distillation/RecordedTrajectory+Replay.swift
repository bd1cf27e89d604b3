import Compute
import Diagnostics
import Models
import Training

extension RecordedTrajectory {
  /// How far one result is from its record.
  public struct Comparison: Sendable {
    /// What is compared.
    public let name: String
    /// How far it is: relative to the largest recorded loss, to the norm of the record, or to the distance that weights
    /// went.
    public let error: Double
    /// What is accepted.
    public let tolerance: Double
    /// Whether the error is within the tolerance.
    public var isAccepted: Bool { error <= tolerance }
  }

  /// What a mode of the kernels may differ by.
  ///
  /// By the definition rounding is as in the official run. In Winograd tiles it is larger, and the first steps of Adam turn
  /// the sign of every gradient that is rounding noise into a whole step.
  struct Tolerance {
    let fakeScoreLoss: Double, generatorLoss: Double
    let firstFakeScoreNorms: Double, firstGeneratorNorms: Double, laterNorms: Double
    let weights: Double, moments: Double

    init(_ mode: KernelMode) {
      let isExact = mode == .exact
      (fakeScoreLoss, generatorLoss) = isExact ? (1e-5, 1e-4) : (2e-4, 2e-3)
      (firstFakeScoreNorms, firstGeneratorNorms, laterNorms) = isExact ? (1e-5, 1e-5, 1e-3) : (2e-4, 1e-2, 1e-2)
      (weights, moments) = isExact ? (1e-3, 1e-3) : (0.02, 1e-2)
    }
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
    let distillation = Distillation(teacher: teacher, settings: settings, draws: try draws(for: teacher))
    let loop = try distillation.loop(from: start)
    var losses: [String: [Double]] = [:]
    var norms: [String: [[Double]]] = [:]
    var last = 0.0
    loop.inspectObjective = { _, objective in last = objective.value }
    loop.inspectGradients = { turn, gradients in
      // The official loop logs the last round alone.
      losses[turn, default: []].append(last)
      norms[turn, default: []].append(
        zip(teacher.specifications, gradients).filter { $0.0.isTrainable }.map { norm($1?.values ?? []) })
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
    return try compare(losses, norms, before, loop.state, Tolerance(mode))
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
    _ losses: [String: [Double]], _ norms: [String: [[Double]]], _ before: [Network], _ end: TrainingState,
    _ tolerance: Tolerance
  ) throws -> [Comparison] {
    var results: [Comparison] = []
    for phase in [DistillationPhase.fakeScore, .generator] {
      let (name, isFake) = (phase.network, phase == .fakeScore)
      if let recorded = try numbers("losses", name + "_last_round") {
        let measured = losses[name] ?? []
        try requireCount(recorded, iterations, "losses/\(name)_last_round")
        let largest = recorded.map(abs).max() ?? 0
        for iteration in 0..<iterations {
          results.append(
            Comparison(
              name: "\(name) loss, iteration \(iteration)",
              error: abs(measured[iteration] - recorded[iteration]) / largest,
              tolerance: isFake ? tolerance.fakeScoreLoss : tolerance.generatorLoss))
        }
      }
      for iteration in 0..<iterations {
        let group = "iteration_\(iteration)"
        guard let recorded = try numbers(group, name + "_grad_l2_per_tensor") else { continue }
        let measured = norms[name]?[iteration] ?? []
        try requireCount(recorded, measured.count, "\(group)/\(name)_grad_l2_per_tensor")
        let first = isFake ? tolerance.firstFakeScoreNorms : tolerance.firstGeneratorNorms
        results.append(
          Comparison(
            name: "\(name) gradient norms, iteration \(iteration)", error: relativeDistance(measured, recorded),
            tolerance: iteration == 0 ? first : tolerance.laterNorms))
      }
    }
    for (name, before, after) in [
      ("fake_score", before[0], end.fakeScore), ("generator", before[1], end.generator),
      ("generator_ema", before[2], end.generatorEMA),
    ] {
      guard let recorded = try finalWeights(name) else { continue }
      results.append(
        Comparison(
          name: "\(name) weights, error/update", error: try errorOverUpdate(after, from: before, recorded),
          tolerance: tolerance.weights))
    }
    for trained in end.networks {
      guard let recorded = try numbers("final_adam_l2/" + trained.name, "exp_avg_sq") else { continue }
      let measured = zip(trained.network.specifications, trained.adam.moments).filter { $0.0.isTrainable }
        .compactMap { $1.map { norm($0.second.values) } }
      try requireCount(recorded, measured.count, "final_adam_l2/\(trained.name)/exp_avg_sq")
      results.append(
        Comparison(
          name: "\(trained.name) second moments", error: relativeDistance(measured, recorded),
          tolerance: tolerance.moments))
    }
    guard results.contains(where: { $0.name.hasSuffix("error/update") }) else {
      throw Failure(.dataError, path, "it has no `final_weights` to compare with")
    }
    return results
  }

  /// The distance of weights to recorded ones relative to how far training moved them.
  ///
  /// Without the k part of `qkv.bias`: a constant added to all keys changes no attention, so its gradient is rounding noise,
  /// of which Adam makes whole steps.
  private func errorOverUpdate(_ network: Network, from start: Network, _ recorded: RecordedWeights) throws -> Double {
    var (error, update) = (0.0, 0.0)
    for (index, specification) in network.specifications.enumerated() where specification.isTrainable {
      let expected = try recorded.tensor(specification.name).values
      let (values, before) = (network.stateDictTensor(index).values, start.stateDictTensor(index).values)
      try requireCount(expected, values.count, "the final \"\(specification.name)\"")
      let hasKeys = specification.name.hasSuffix("qkv.bias")
      for i in expected.indices where !(hasKeys && i % 3 == 1) {
        error += square(Double(values[i]) - Double(expected[i]))
        update += square(Double(expected[i]) - Double(before[i]))
      }
    }
    return error == 0 ? 0 : (error / update).squareRoot()
  }

  private func requireCount(_ values: [some Any], _ count: Int, _ name: String) throws {
    guard values.count == count else {
      throw Failure(.dataError, path, "\(name) has \(values.count) elements; \(count) are expected")
    }
  }
}

private func square(_ x: Double) -> Double { x * x }

private func norm(_ values: [Float]) -> Double { values.reduce(0) { $0 + square(Double($1)) }.squareRoot() }

/// L2 norm of the difference over that of what was expected.
private func relativeDistance(_ values: [Double], _ expected: [Double]) -> Double {
  let difference = zip(values, expected).reduce(0) { $0 + square($1.0 - $1.1) }
  return difference == 0 ? 0 : (difference / expected.reduce(0) { $0 + square($1) }).squareRoot()
}
