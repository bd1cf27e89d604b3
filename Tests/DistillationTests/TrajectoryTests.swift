import Checkpoints
import Compute
import Distillation
import Foundation
import HDF5
import Models
import TestSupport
import Testing

/// Training, iteration by iteration, against the official training loop with the same random numbers.
@Suite("The trajectory equals the official one", .serialized)
struct TrajectoryTests {
  /// The official runs: unconditional in one round; and conditional, augmented, in two rounds, from 1000 images on.
  enum Course: String, CaseIterable {
    case a, b

    var settings: DistillationSettings {
      var s = DistillationSettings()
      (s.batch, s.fakeScoreLearningRate, s.generatorLearningRate, s.dropout) = (4, 2e-4, 1e-4, 0)
      (s.microbatch, s.alpha, s.augment) = self == .a ? (4, 1.2, 0) : (2, 1, 0.12)
      return s
    }

    var firstImage: Int { self == .a ? 0 : 1000 }

    func start(_ recorded: Recorded) throws -> Network {
      self == .a
        ? try Network(recorded: recorded, weights: "initial_weights")
        : try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    }
  }

  /// Distance of final weights to recorded ones, relative to how far training moved them, and the share of elements that
  /// are off by more than a tenth of the learning rate.
  static func compare(
    _ network: Network, start: Network, _ recorded: Recorded, _ group: String, learningRate: Double
  ) throws -> (errorOverUpdate: Double, shareOff: Double) {
    var (error, update, off, count) = (0.0, 0.0, 0, 0)
    for (index, specification) in network.specifications.enumerated() where specification.isTrainable {
      let expected = try recorded.tensor(group + "/" + specification.name).values
      let (values, before) = (network.stateDictTensor(index).values, start.stateDictTensor(index).values)
      for i in expected.indices {
        let difference = Double(values[i]) - Double(expected[i])
        error += difference * difference
        let moved = Double(expected[i]) - Double(before[i])
        update += moved * moved
        if abs(difference) > learningRate / 10 { off += 1 }
        count += 1
      }
    }
    return ((error / update).squareRoot(), Double(off) / Double(count))
  }

  static func expectClose(
    _ network: Network, start: Network, _ recorded: Recorded, _ group: String, learningRate: Double,
    _ tolerance: Tolerance, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let (error, off) = try compare(network, start: start, recorded, group, learningRate: learningRate)
    #expect(error < tolerance.errorOverUpdate, "\(group): error/update \(error)", sourceLocation: sourceLocation)
    #expect(off < tolerance.shareOff, "\(group): share of elements off \(off)", sourceLocation: sourceLocation)
    // The comparison itself must be able to fail: weights that never moved are a whole update away.
    let (unmoved, _) = try compare(start, start: start, recorded, group, learningRate: learningRate)
    #expect(unmoved > 0.99, sourceLocation: sourceLocation)
  }

  static func expectLosses(
    _ measured: [Double], _ expected: [Double], relative: Double, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let largest = expected.map(abs).max() ?? 0
    #expect(measured.count == expected.count, sourceLocation: sourceLocation)
    for (a, b) in zip(measured, expected) {
      #expect(abs(a - b) <= relative * largest, "\(a), \(b) expected", sourceLocation: sourceLocation)
    }
  }

  /// What five iterations gave.
  struct Run {
    /// Objectives of the last round: what the official loop logs.
    var losses: (fake: [Double], generator: [Double]) = ([], [])
    var gradientNorms: [DistillationPhase: [[Double]]] = [:]
    var state: TrainingState
  }

  /// Five iterations with the recorded draws.
  static func run(_ course: Course, _ recorded: Recorded, start: Network) throws -> Run {
    let settings = course.settings
    var state = TrainingState(teacher: start, settings: settings)
    state.imagesSeen = course.firstImage
    let distiller = Distiller(
      teacher: start, settings: settings, state: state,
      draws: RecordedDraws(
        recorded: recorded, batch: settings.batch, microbatch: settings.microbatch, firstImage: course.firstImage,
        augment: settings.augment))
    var run = Run(state: state)
    distiller.inspectGradients = { phase, gradients in
      let norms = zip(start.specifications, gradients).filter { $0.0.isTrainable }.map { _, gradient in
        (gradient?.values ?? []).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
      run.gradientNorms[phase, default: []].append(norms)
    }
    while run.losses.generator.count < 5 {
      let before = distiller.state.pending
      let summary = try distiller.advance()
      if before.phase == .fakeScore, distiller.state.pending.phase == .generator {
        run.losses.fake.append(distiller.state.fakeScoreObjective - before.objective)
      }
      if let summary { run.losses.generator.append(summary.generatorObjective - before.objective) }
    }
    run.state = distiller.state
    return run
  }

  /// What a mode may differ by. By the definition rounding is as in the official run. In Winograd tiles it is larger, and
  /// the first steps of Adam turn the sign of every gradient that is rounding noise into a whole step.
  struct Tolerance {
    let errorOverUpdate: Double, shareOff: Double
    let fakeLoss: Double, generatorLoss: Double
    let firstFakeNorms: Double, firstGeneratorNorms: Double, laterNorms: Double
    let moments: Double

    init(_ mode: KernelMode) {
      let isExact = mode == .exact
      (errorOverUpdate, shareOff) = isExact ? (0.06, 0.005) : (0.2, 0.03)
      (fakeLoss, generatorLoss) = isExact ? (1e-5, 1e-4) : (2e-4, 2e-3)
      (firstFakeNorms, firstGeneratorNorms, laterNorms) = isExact ? (1e-5, 1e-5, 1e-2) : (2e-4, 1e-2, 5e-2)
      moments = isExact ? 1e-3 : 2e-2
    }
  }

  @Test(
    "Five iterations: losses, gradients, weights, average, moments", arguments: Course.allCases, KernelMode.allCases)
  func fiveIterations(course: Course, mode: KernelMode) throws {
    try KernelSet.with(mode) { try fiveIterations(course, Tolerance(mode)) }
  }

  private func fiveIterations(_ course: Course, _ tolerance: Tolerance) throws {
    let recorded = try Recorded("golden/sid/trajectory_\(course.rawValue).h5")
    let start = try course.start(recorded)
    let run = try Self.run(course, recorded, start: start)
    for iteration in 0..<5 {
      let beta = try recorded.root.group("iteration_\(iteration)").doubleAttribute("ema_beta")
      #expect(abs(course.settings.emaBeta(beforeImages: course.firstImage + iteration * 4) - beta) < 1e-12)
      for (phase, name) in [(DistillationPhase.fakeScore, "fake_score"), (.generator, "generator")] {
        let norms = Distance(
          run.gradientNorms[phase]?[iteration] ?? [],
          try recorded.numbers("iteration_\(iteration)/\(name)_grad_l2_per_tensor"))
        let first = phase == .fakeScore ? tolerance.firstFakeNorms : tolerance.firstGeneratorNorms
        #expect(
          norms.relative <= (iteration == 0 ? first : tolerance.laterNorms), "iteration \(iteration), \(name): \(norms)"
        )
      }
    }
    Self.expectLosses(
      run.losses.fake, try recorded.numbers("losses/fake_score_last_round"), relative: tolerance.fakeLoss)
    Self.expectLosses(
      run.losses.generator, try recorded.numbers("losses/generator_last_round"), relative: tolerance.generatorLoss)
    let state = run.state
    for (network, group, learningRate) in [
      (state.fakeScore, "fake_score", 2e-4), (state.generator, "generator", 1e-4),
      (state.generatorEMA, "generator_ema", 1e-4),
    ] {
      try Self.expectClose(
        network, start: start, recorded, "final_weights/" + group, learningRate: learningRate, tolerance)
    }

    for (adam, name) in [(state.fakeScoreAdam, "fake_score"), (state.generatorAdam, "generator")] {
      let seconds = zip(start.specifications, adam.moments).filter { $0.0.isTrainable }.compactMap(\.1)
      #expect(seconds.allSatisfy { $0.step == 5 && $0.first == nil })
      let norms = seconds.map { $0.second.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
      let distance = Distance(norms, try recorded.numbers("final_adam_l2/\(name)/exp_avg_sq"))
      #expect(distance.relative <= tolerance.moments, "\(name) second moments: \(distance)")
    }
    // Without augmentation, map_augment of the fake score never had a gradient.
    let augment = try #require(start.specifications.firstIndex { $0.name == "model.map_augment.weight" })
    #expect((state.fakeScoreAdam.moments[augment] == nil) == (course == .a))
  }

  @Test("An official training state goes on as the official loop does", arguments: KernelMode.allCases)
  func officialResumption(mode: KernelMode) throws {
    try KernelSet.with(mode) { try officialResumption(Tolerance(mode)) }
  }

  private func officialResumption(_ tolerance: Tolerance) throws {
    let recorded = try Recorded("golden/sid/trajectory_a_resumed.h5")
    let path = "golden/checkpoints/sid_a_training-state-000000.pt"
    let teacher = try loadNetwork("golden/checkpoints/sid_a_teacher.pkl")
    let generator = try loadNetwork(path, key: "G")
    let settings = Course.a.settings
    // As a user goes on with an official run: sid-convert makes the state, sid-distill adopts it.
    let folder = try TemporaryFolder()
    let converted = try Programs.run("sid-convert", [Fixtures.path(path), "--output", folder.file("state.h5")])
    #expect(converted.status == 0, "\(converted.errors)")
    var state = try TrainingState(reading: try HDF5File.open(folder.file("state.h5")), batch: settings.batch)
    try state.adopt(settings, origin: path)
    let distiller = Distiller(
      teacher: teacher, settings: settings, state: state,
      draws: RecordedDraws(recorded: recorded, batch: 4, microbatch: 4, firstImage: 0))
    var losses: (fake: [Double], generator: [Double]) = ([], [])
    while losses.fake.count < 2 {
      guard let summary = try distiller.advance() else { continue }
      losses.fake.append(summary.fakeScoreObjective)
      losses.generator.append(summary.generatorObjective)
    }
    Self.expectLosses(
      losses.fake, try recorded.numbers("losses/fake_score_last_round"), relative: tolerance.fakeLoss)
    Self.expectLosses(
      losses.generator, try recorded.numbers("losses/generator_last_round"), relative: tolerance.generatorLoss)
    try Self.expectClose(
      distiller.state.generator, start: generator, recorded, "final_weights/generator", learningRate: 1e-4, tolerance)
    try Self.expectClose(
      distiller.state.generatorEMA, start: try loadNetwork(path, key: "G_ema"), recorded, "final_weights/generator_ema",
      learningRate: 1e-4, tolerance)
  }

  @Test("The decay of the average equals the official table")
  func averageTable() throws {
    let rows = try Recorded("golden/sid/ema_beta_table.h5").numbers("rows")
    for row in stride(from: 0, to: rows.count, by: 5) {
      var settings = DistillationSettings()
      (settings.batch, settings.emaHalfLifeKimg, settings.emaRampupRatio) = (
        Int(rows[row + 1]), rows[row + 2], rows[row + 3]
      )
      #expect(abs(settings.emaBeta(beforeImages: Int(rows[row])) - rows[row + 4]) < 1e-12)
    }
  }
}
