import Compute
import Distillation
import Foundation
import HDF5
import Images
import Models
import TestSupport
import Testing
import Training

/// Adversarial training, iteration by iteration, against the official loop with the same random numbers and real images.
@Suite("The adversarial trajectory equals the official one", .serialized)
struct AdversarialTrajectoryTests {
  /// The official runs: in two rounds across the generator's start; and conditional, augmented, across the start of its
  /// adversarial loss.
  enum Course: String, CaseIterable {
    case warm1, warm2

    var path: String { Fixtures.path("golden/sida/trajectory_\(rawValue).h5") }
  }

  /// A training from the record's start to its end.
  static func trained(_ recorded: RecordedTrajectory) throws -> TrainingState {
    let teacher = try #require(recorded.start)
    let loop = try Distillation(
      teacher: teacher, settings: recorded.settings, draws: try recorded.draws(for: teacher),
      realImages: try recorded.realImages(for: teacher)
    ).loop(from: TrainingState(teacher: teacher, settings: recorded.settings, imagesSeen: recorded.firstImage))
    for _ in 0..<recorded.iterations { while try loop.advance() == nil {} }
    return loop.state
  }

  @Test("The settings are those of the record")
  func settings() throws {
    let one = try RecordedTrajectory(contentsOf: Course.warm1.path)
    let two = try RecordedTrajectory(contentsOf: Course.warm2.path)
    let resumed = try RecordedTrajectory(
      contentsOf: Fixtures.path("golden/sida/trajectory_warm2_resumed.h5"), settingsOf: Course.warm2.path)
    for recorded in [one, two, resumed] { #expect(recorded.settings.adversarial == AdversarialSettings()) }
    #expect((one.firstImage, one.settings.cut.count, one.settings.augment) == (99_992, 2, 0))
    #expect((two.firstImage, two.settings.cut.count, two.settings.augment) == (199_992, 1, 0.3))
    #expect((resumed.firstImage, resumed.settings.augment, resumed.settings.emaHalfLifeKimg) == (200_000, 0.3, 0.01))
    let start = try #require(one.start)
    let pickled = try loadNetwork("golden/checkpoints/sida_warm1_teacher.pkl")
    #expect(start.parameters.map(\.values) == pickled.parameters.map(\.values))
  }

  @Test(
    "Five iterations: losses, gradients before and within the limit, weights, average, moments",
    arguments: Course.allCases, KernelMode.allCases)
  func fiveIterations(course: Course, mode: KernelMode) throws {
    try KernelSet.with(mode) {
      let recorded = try RecordedTrajectory(contentsOf: course.path)
      let comparisons = try recorded.replay(teacher: try #require(recorded.start), mode: mode)
      // Five each of four losses, four kinds of norms and counts; three cross-entropies, three networks, two moments.
      #expect(comparisons.count == 5 * 8 + 3 + 3 + 2)
      TrajectoryTests.expectAccepted(comparisons)
    }
  }

  @Test("It goes on from the last state as the official loop does from its own, at the count of its name")
  func resumption() throws {
    try KernelSet.with(.exact) {
      let first = try RecordedTrajectory(contentsOf: Course.warm2.path)
      let recorded = try RecordedTrajectory(
        contentsOf: Fixtures.path("golden/sida/trajectory_warm2_resumed.h5"), settingsOf: Course.warm2.path)
      var state = try Self.trained(first)
      #expect(state.imagesSeen == 200_012)
      state.imagesSeen = 200_000
      let comparisons = try recorded.replay(teacher: try #require(first.start), from: state, mode: .exact)
      #expect(comparisons.count == 2 * 8 + 3 + 3)
      TrajectoryTests.expectAccepted(comparisons)
    }
  }

  @Test("Before its start the generator does not learn and its optimizer does not count")
  func firstSteps() throws {
    try KernelSet.with(.exact) {
      let recorded = try RecordedTrajectory(contentsOf: Course.warm1.path)
      let state = try Self.trained(recorded)
      let root = try HDF5File.open(Course.warm1.path).root
      for trained in state.networks {
        let steps = try root.group("final_adam_l2/\(trained.name)").doubleAttribute("step")
        // That of map_augment, too: its labels are zeros, its gradient is there.
        for (specification, moments) in zip(trained.network.specifications, trained.adam.moments)
        where specification.isTrainable {
          #expect(moments?.step == Int(steps), "\(trained.name) \(specification.name)")
        }
      }
      for iteration in 0..<5 {
        let group = try root.group("iteration_\(iteration)")
        let images = recorded.firstImage + 4 * iteration
        #expect(try group.intAttribute("cur_nimg_before") == images)
        #expect(
          abs(recorded.settings.average.beta(batch: 4, beforeImages: images) - (try group.doubleAttribute("ema_beta")))
            < 1e-12)
      }
    }
  }

  @Test(
    "A training that differs in one thing is found out",
    arguments: [
      "clip", "no clip", "discriminator", "adversarial", "generator earlier", "generator later", "joined earlier",
      "joined later",
    ])
  func differences(kind: String) throws {
    let changes: [String: (Course, String, String)] = [
      "clip": (.warm1, "\"clip_value\": 1", "\"clip_value\": 1.01"),
      "no clip": (.warm1, "\"clip_value\": 1", "\"clip_value\": 1e6"),
      "discriminator": (.warm1, "\"loss_scaling_D\": 1", "\"loss_scaling_D\": 1.01"),
      "adversarial": (.warm2, "\"loss_scaling_G_gan\": 0.01", "\"loss_scaling_G_gan\": 0.0101"),
      // As if it were "not less".
      "generator earlier": (.warm1, "_generator_learns\": 100000", "_generator_learns\": 99999"),
      "generator later": (.warm1, "_generator_learns\": 100000", "_generator_learns\": 100004"),
      "joined earlier": (.warm2, "_gan_joins\": 200000", "_gan_joins\": 199999"),
      "joined later": (.warm2, "_gan_joins\": 200000", "_gan_joins\": 200004"),
    ]
    try KernelSet.with(.exact) {
      let (course, old, new) = try #require(changes[kind])
      let config = try HDF5File.open(course.path).root.stringAttribute("config")
      try #require(config.contains(old))
      let recorded = try RecordedTrajectory(
        contentsOf: course.path, replacingConfig: config.replacingOccurrences(of: old, with: new))
      let failed = try recorded.replay(teacher: try #require(recorded.start), mode: .exact).filter { !$0.isAccepted }
      #expect(!failed.isEmpty)
    }
  }

  @Test("Real images come from the data set in the official order, with the labels of the same entries")
  func officialOrder() throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"))
    for (course, seed) in [(Course.warm1, UInt64(9301)), (.warm2, 9401)] {
      let recorded = try RecordedTrajectory(contentsOf: course.path)
      let teacher = try #require(recorded.start)
      let (draws, real) = (try recorded.draws(for: teacher), try #require(try recorded.realImages(for: teacher)))
      let order = DatasetOrder(count: dataset.count, batch: 4, seed: seed)
      let images = DatasetImages(dataset.images, order: order)
      let classes = teacher.configuration.labelDim
      let labels = DatasetLabels(try #require(try dataset.labels()), classes: 10, order: order)
      let size = recorded.settings.microbatch
      for iteration in 0..<5 {
        let seen = recorded.firstImage + 4 * iteration
        for range in stride(from: 0, to: 4, by: size).map({ $0..<$0 + size }) {
          // The official order begins where the run does.
          #expect(
            try images.realImages(imagesSeen: 4 * iteration, images: range).values
              == real.realImages(imagesSeen: seen, images: range).values)
          guard classes > 0 else { continue }
          for phase in [DistillationPhase.fakeScore, .generator] {
            #expect(
              labels.labels(phase, imagesSeen: 4 * iteration, images: range)?.values
                == draws.draws(phase, imagesSeen: seen, images: range).classLabels?.values)
          }
        }
      }
    }
  }
}
