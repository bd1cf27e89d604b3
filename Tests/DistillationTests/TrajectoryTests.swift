import Checkpoints
import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Models
import TestSupport
import Testing
import Training

/// Training, iteration by iteration, against the official training loop with the same random numbers.
@Suite("The trajectory equals the official one", .serialized)
struct TrajectoryTests {
  /// The official runs: unconditional in one round; and conditional, augmented, in two rounds, from 1000 images on.
  enum Course: String, CaseIterable {
    case a, b

    var path: String { Fixtures.path("golden/sid/trajectory_\(rawValue).h5") }

    func start(_ recorded: RecordedTrajectory) throws -> Network {
      try recorded.start ?? loadNetwork("golden/checkpoints/sid_\(rawValue)_teacher.pkl")
    }
  }

  static func expectAccepted(
    _ comparisons: [RecordedTrajectory.Comparison], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for comparison in comparisons {
      #expect(
        comparison.isAccepted, "\(comparison.name): \(comparison.error), \(comparison.tolerance) accepted",
        sourceLocation: sourceLocation)
    }
  }

  @Test("The settings are those of the record")
  func settings() throws {
    let (a, b) = (try RecordedTrajectory(contentsOf: Course.a.path), try RecordedTrajectory(contentsOf: Course.b.path))
    #expect((a.settings.alpha, a.settings.augment, a.settings.cut.count, a.firstImage) == (1.2, 0, 1, 0))
    #expect((b.settings.alpha, b.settings.augment, b.settings.cut.count, b.firstImage) == (1, 0.12, 2, 1000))
    for recorded in [a, b] {
      #expect(recorded.settings.batch == 4 && recorded.iterations == 5)
      #expect((recorded.settings.fakeScoreLearningRate, recorded.settings.generatorLearningRate) == (2e-4, 1e-4))
    }
    #expect(a.start != nil && b.start == nil)
  }

  @Test(
    "Five iterations: losses, gradients, weights, average, moments", arguments: Course.allCases, KernelMode.allCases)
  func fiveIterations(course: Course, mode: KernelMode) throws {
    try KernelSet.with(mode) {
      let recorded = try RecordedTrajectory(contentsOf: course.path)
      let comparisons = try recorded.replay(teacher: try course.start(recorded), mode: mode)
      // Two networks with five losses, five sets of gradient norms, weights and moments; and the average.
      #expect(comparisons.count == 2 * 12 + 1)
      Self.expectAccepted(comparisons)
    }
  }

  @Test("A training that differs in one thing is found out", arguments: ["alpha", "rate", "average", "start"])
  func differences(kind: String) throws {
    try KernelSet.with(.exact) {
      var config = try HDF5File.open(Course.a.path).root.stringAttribute("config")
      let changes = [
        "alpha": ("\"alpha\": 1.2", "\"alpha\": 1.3"), "rate": ("\"lr\": 0.0002", "\"lr\": 0.00021"),
        "average": ("\"resume_kimg\": 0", "\"resume_kimg\": 1"),
      ]
      if let (old, new) = changes[kind] {
        #expect(config.contains(old))
        config = config.replacingOccurrences(of: old, with: new)
      }
      let recorded = try RecordedTrajectory(contentsOf: Course.a.path, replacingConfig: config)
      let teacher =
        kind == "start"
        ? try Network(configuration: try #require(recorded.start).configuration, randomSeed: 1, origin: "other")
        : try #require(recorded.start)
      let failed = try recorded.replay(teacher: teacher, mode: .exact).filter { !$0.isAccepted }
      #expect(!failed.isEmpty)
    }
  }

  @Test("The first gradients and the steps of the optimizer are those of the record")
  func firstSteps() throws {
    try KernelSet.with(.exact) {
      let recorded = try RecordedTrajectory(contentsOf: Course.a.path)
      let start = try Course.a.start(recorded)
      let loop = try Distillation(
        teacher: start, settings: recorded.settings, draws: try recorded.draws(for: start)
      ).loop(from: TrainingState(teacher: start, settings: recorded.settings))
      for _ in 0..<5 { while try loop.advance() == nil {} }
      for trained in loop.state.networks {
        let moments = zip(start.specifications, trained.adam.moments).filter { $0.0.isTrainable }.compactMap(\.1)
        #expect(moments.allSatisfy { $0.step == 5 && $0.first == nil })
      }
      // Without augmentation, map_augment of the fake score never had a gradient.
      let augment = try #require(start.specifications.firstIndex { $0.name == "model.map_augment.weight" })
      #expect(loop.state["fake_score"].adam.moments[augment] == nil)
      #expect(loop.state["generator"].adam.moments[augment] != nil)
    }
  }

  @Test("An official training state goes on as the official loop does", arguments: KernelMode.allCases)
  func officialResumption(mode: KernelMode) throws {
    let path = "golden/checkpoints/sid_a_training-state-000000.pt"
    // As a user goes on with an official run: sid-convert makes the state, sid-distill takes it over.
    let folder = try TemporaryFolder()
    let converted = try Programs.run("sid-convert", [Fixtures.path(path), "--output", folder.file("state.h5")])
    #expect(converted.status == 0, "\(converted.errors)")
    try KernelSet.with(mode) {
      let recorded = try RecordedTrajectory(
        contentsOf: Fixtures.path("golden/sid/trajectory_a_resumed.h5"), settingsOf: Course.a.path)
      var state = try TrainingState(
        reading: try HDF5File.open(folder.file("state.h5")), networks: TrainingState.distillationNetworks,
        cut: recorded.settings.cut)
      try state.adopt(recorded.settings, origin: path)
      let comparisons = try recorded.replay(
        teacher: try loadNetwork("golden/checkpoints/sid_a_teacher.pkl"), from: state, mode: mode)
      // Two losses of each network, and the final weights of the generator and its average.
      #expect(comparisons.count == 6)
      Self.expectAccepted(comparisons)
    }
  }

  @Test("The decay of the average equals the official table")
  func averageTable() throws {
    let rows = try Recorded("golden/sid/ema_beta_table.h5").numbers("rows")
    for row in stride(from: 0, to: rows.count, by: 5) {
      var settings = DistillationSettings()
      (settings.emaHalfLifeKimg, settings.emaRampupRatio) = (rows[row + 2], rows[row + 3])
      let beta = settings.average.beta(batch: Int(rows[row + 1]), beforeImages: Int(rows[row]))
      #expect(abs(beta - rows[row + 4]) < 1e-12)
    }
  }

  @Test("The recorded decay of every iteration is met", arguments: Course.allCases)
  func recordedAverages(course: Course) throws {
    let recorded = try RecordedTrajectory(contentsOf: course.path)
    let root = try HDF5File.open(course.path).root
    for iteration in 0..<5 {
      let beta = try root.group("iteration_\(iteration)").doubleAttribute("ema_beta")
      let images = recorded.firstImage + iteration * 4
      #expect(abs(recorded.settings.average.beta(batch: 4, beforeImages: images) - beta) < 1e-12)
    }
  }
}
