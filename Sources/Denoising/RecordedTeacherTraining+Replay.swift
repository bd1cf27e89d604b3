import Compute
import Diagnostics
import Models
import Training
import TrainingData

extension RecordedTeacherTraining {
  /// What a mode of the kernels may differ by; see `RecordedTrajectory` of the distillation for why the others are wider.
  private struct Tolerance {
    let loss: Double, norms: Double, weights: Double, moments: Double
    /// Of learning rate and weight of the average.
    let schedule = 1e-12

    init(_ mode: KernelMode) {
      (loss, norms, weights, moments) = mode == .exact ? (3e-6, 1e-4, 1e-4, 1e-4) : (2e-4, 1e-2, 0.02, 1e-2)
    }
  }

  /// What was seen of a replay.
  private struct Measured {
    /// Of each micro-batch.
    var objectives: [(value: Double, elementMean: Double)] = []
    /// Of each iteration, the norm of each parameter's gradient, and of each parameter behind the step.
    var gradientNorms: [[Double]] = []
    var weightNorms: [[Double]] = []
  }

  /// Trains as the record says, and compares losses, gradients, schedules, weights and moments.
  ///
  /// - Parameters:
  ///   - state: where the training begins, with the settings' cut; nil where it begins as the record's own network.
  ///   - network: where it begins without a state; nil for the record's own.
  ///   - mode: the kernels' mode, from which the tolerances follow.
  ///   - progress: is told how many iterations are done.
  /// - Throws: a `Failure` naming what in the file does not fit; what `progress` throws.
  public func replay(
    from state: TrainingState? = nil, network: Network? = nil, mode: KernelMode = KernelSet.mode,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [RecordedComparison] {
    guard
      let begin = state
        ?? (network ?? start).map({ TrainingState(teacher: $0, settings: settings, imagesSeen: firstImage) })
    else {
      throw Failure(
        .usage, "--start", "\(path) holds no initial weights",
        remedy: "name the training state that it went on from, which sid-convert made, in --start")
    }
    guard begin.imagesSeen == firstImage, begin.isBetweenIterations else {
      throw Failure(
        .dataError, path, "was recorded after \(firstImage) images; the state has seen \(begin.imagesSeen)")
    }
    let before = begin[TrainingState.teacher].network
    try check(before)
    let training = try TeacherTraining(
      before.configuration, settings: settings, draws: try draws(for: before), origin: path)
    let loop = try training.loop(from: begin)
    var measured = Measured()
    loop.inspectObjective = { _, value in
      measured.objectives.append((value.value, LossStatistics(sums: value.sums)?.mean ?? .nan))
    }
    let trainable = before.specifications.indices.filter { before.specifications[$0].isTrainable }
    loop.inspectGradients = { _, gradients in
      measured.gradientNorms.append(trainable.map { euclideanNorm(gradients[$0]?.values ?? []) })
    }
    for iteration in 0..<iterations {
      do {
        while try loop.advance() == nil {}
      } catch let failure as Failure where failure.status == .software {
        throw Failure(
          .dataError, path, "its iteration \(iteration) leaves the finite numbers",
          remedy: "the record is damaged, or belongs to another start")
      }
      let trained = loop.state[TrainingState.teacher].network
      measured.weightNorms.append(trainable.map { euclideanNorm(trained.stateDictTensor($0).values) })
      try progress(iteration + 1)
    }
    return try compare(measured, begin, loop.state, Tolerance(mode))
  }

  /// Refuses a network that the settings are not for.
  private func check(_ network: Network) throws {
    let labels = network.configuration.augmentDim
    guard settings.augment <= 0 || labels == AugmentationPipeline(probability: settings.augment).labelCount else {
      throw Failure(
        .dataError, path, "was recorded with EDM's augmentations; the network takes \(labels) augmentation labels")
    }
  }

  private func compare(
    _ measured: Measured, _ begin: TrainingState, _ end: TrainingState, _ tolerance: Tolerance
  ) throws -> [RecordedComparison] {
    var results: [RecordedComparison] = []
    func add(_ name: String, _ error: Double, _ accepted: Double) {
      results.append(RecordedComparison(name: name, error: error, tolerance: accepted))
    }
    let rounds = settings.cut.count
    let names = end[TrainingState.teacher].network.specifications.filter(\.isTrainable).map(\.name)
    for iteration in 0..<iterations {
      let group = try file.root.group("iteration_\(iteration)")
      for round in 0..<rounds {
        let record = try group.group("round_\(round)")
        let (value, mean) = measured.objectives[iteration * rounds + round]
        for (attribute, title, number) in [
          ("loss_scaled", "loss", value), ("loss_elementwise_mean", "mean element", mean),
        ] where record.hasAttribute(attribute) {
          add(
            "\(title), iteration \(iteration), round \(round)",
            abs(number / (try record.doubleAttribute(attribute)) - 1), tolerance.loss)
        }
      }
      let seen = firstImage + iteration * settings.batch
      for (attribute, title, number) in [
        ("lr_of_this_step", "learning rate", settings.schedule(afterImages: seen)),
        ("ema_beta", "weight of the average", settings.average.beta(batch: settings.batch, beforeImages: seen)),
      ] where group.hasAttribute(attribute) {
        let recorded = try group.doubleAttribute(attribute)
        add(
          "\(title), iteration \(iteration)", number == recorded ? 0 : abs(number / recorded - 1), tolerance.schedule)
      }
      for (record, title, norms, isWeight) in [
        ("grad_l2_per_tensor", "gradient norms", measured.gradientNorms[iteration], false),
        ("weight_l2_per_tensor_after_step", "weight norms", measured.weightNorms[iteration], true),
      ] where group.contains(record) {
        let recorded = try group.dataset(record).read(Double.self)
        try RecordedComparison.requireCount(recorded, norms.count, "iteration_\(iteration)/\(record)", path: path)
        // Of the tensor that is farthest off. Of a `qkv.bias` a third are steps of rounding noise; see `RecordedComparison`.
        let errors = zip(names, zip(norms, recorded)).map { name, norms in
          norms.0 == norms.1 || (isWeight && name.hasSuffix("qkv.bias")) ? 0 : abs(norms.0 / norms.1 - 1)
        }
        add("\(title), iteration \(iteration)", errors.max() ?? 0, tolerance.norms)
      }
    }
    results += try compareEnd(begin[TrainingState.teacher], end[TrainingState.teacher], tolerance)
    guard results.contains(where: { $0.name.contains(" weights, ") }) else {
      throw Failure(.dataError, path, "it has no `final_weights` to compare with")
    }
    return results
  }

  private func compareEnd(_ begin: TrainedNetwork, _ end: TrainedNetwork, _ tolerance: Tolerance) throws
    -> [RecordedComparison]
  {
    var results: [RecordedComparison] = []
    for (name, before, after) in [
      ("net", begin.network, end.network), ("ema", begin.average ?? begin.network, end.average ?? end.network),
    ] {
      for group in ["final_weights", "final_weights_flat"] where file.root.contains(group) {
        guard
          let recorded = try RecordedWeights(
            try file.root.group(group), name, of: file, path: path, specifications: after.specifications)
        else { continue }
        results.append(
          try RecordedComparison(
            weightsOf: name, after, from: before, recorded, tolerance: tolerance.weights, path: path))
        break
      }
    }
    let moments = zip(end.network.specifications, end.adam.moments).filter { $0.0.isTrainable }.compactMap { $1 }
    for (record, title, norms) in [
      ("exp_avg", "first moments", moments.map { euclideanNorm($0.first?.values ?? []) }),
      ("exp_avg_sq", "second moments", moments.map { euclideanNorm($0.second.values) }),
    ] where file.root.contains("final_adam_l2/" + record) {
      let recorded = try file.root.dataset("final_adam_l2/" + record).read(Double.self)
      try RecordedComparison.requireCount(recorded, norms.count, "final_adam_l2/" + record, path: path)
      results.append(
        RecordedComparison(name: title, error: relativeDistance(norms, recorded), tolerance: tolerance.moments))
    }
    return results
  }
}
