import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Models
import TestSupport
import Testing
import Training
import TrainingData

@Suite("A training that was interrupted gives the same bits", .serialized)
struct ResumptionTests {
  static func settings(microbatch: Int, beta1: Double = 0, augment: Float = 0.5) -> DistillationSettings {
    var s = DistillationSettings()
    s.augment = augment
    (s.batch, s.microbatch, s.durationKimg, s.generatorBeta1) = (10, microbatch, 0.03, beta1)
    (s.fakeScoreLearningRate, s.generatorLearningRate, s.dropout, s.seed) = (3e-4, 2e-4, 0.1, 12)
    s.learningRateDecayStartKimg = 0.01
    return s
  }

  static func loop(
    _ settings: DistillationSettings, teacher: Network, state: TrainingState? = nil, ranks: any Ranks = OneRank()
  ) throws -> TrainingLoop {
    let labels = UniformLabels(seed: settings.seed, classes: teacher.configuration.labelDim)
    let draws = SeededDraws(
      seed: settings.seed, imageShape: teacher.imageShape, labels: labels,
      augmentations: SeededAugmentations(settings, imageShape: teacher.imageShape))
    return try Distillation(teacher: teacher, settings: settings, draws: draws)
      .loop(from: state ?? TrainingState(teacher: teacher, settings: settings), ranks: ranks)
  }

  /// The objectives of the two turns.
  static func objectives(_ summary: IterationSummary) -> [Double] {
    ["fake_score", "generator"].map { summary.objectives[$0] ?? .nan }
  }

  static func bits(_ network: Network) -> [[Float]] {
    network.specifications.indices.map { network.stateDictTensor($0).values }
  }

  @Test(
    "Saved and read again after every micro-batch, it equals the run that was never stopped", arguments: [0.0, 0.9])
  func everyMicrobatch(beta1: Double) throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    let settings = Self.settings(microbatch: 4, beta1: beta1)
    let whole = try Self.loop(settings, teacher: teacher)
    var expected: [Double] = []
    while whole.state.imagesSeen < settings.durationImages {
      if let s = try whole.advance() { expected += Self.objectives(s) }
    }
    #expect(whole.state.imagesSeen == 30)

    let folder = try TemporaryFolder()
    let path = folder.file("state.h5")
    var state = TrainingState(teacher: teacher, settings: settings)
    var (objectives, stops): ([Double], Int) = ([], 0)
    while state.imagesSeen < settings.durationImages {
      let part = try Self.loop(settings, teacher: teacher, state: state)
      if let s = try part.advance() { objectives += Self.objectives(s) }
      try HDF5File.publish(path) { try part.state.write(to: $0) }
      state = try TrainingState(
        reading: try HDF5File.open(path), networks: TrainingState.distillationNetworks, cut: settings.cut)
      stops += 1
    }
    #expect(stops == 18)
    #expect(objectives == expected)
    #expect(Self.bits(state.generator) == Self.bits(whole.state.generator))
    #expect(Self.bits(state.generatorEMA) == Self.bits(whole.state.generatorEMA))
    #expect(Self.bits(state.fakeScore) == Self.bits(whole.state.fakeScore))
    #expect(Self.bits(state.generator) != Self.bits(teacher))
  }

  @Test("The size of a micro-batch changes nothing but rounding, and the threads nothing at all")
  func microbatches() throws {
    // With augmentations, whose border is that of the batch.
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    func gradients(_ microbatch: Int) throws -> [Float] {
      let loop = try Self.loop(Self.settings(microbatch: microbatch), teacher: teacher)
      var result: [Float] = []
      loop.inspectGradients = { _, gradients in result += gradients.flatMap { $0?.values ?? [] } }
      var summary: IterationSummary?
      while summary == nil { summary = try loop.advance() }
      return result
    }
    defer { Threads.use(2) }
    Threads.use(1)
    let one = try gradients(10)
    Threads.use(3)
    #expect(try gradients(10) == one)
    let parts = try gradients(3)
    // The fake score's gradients come first; the generator's see a fake score that took one step of uncertain signs.
    let half = one.count / 2
    #expect(Distance(Array(parts.prefix(half)), Array(one.prefix(half))).relative < 3e-5)
    #expect(Distance(parts, one).relative < 3e-2)
  }

  @Test("Images of one channel are augmented too")
  func grey() throws {
    var configuration = try loadNetworkFile(Fixtures.digits("teacher.pkl")).configuration
    configuration.augmentDim = 9
    let teacher = try Network(configuration: configuration, randomSeed: 3, origin: "grey")
    func gradients(_ augment: Float) throws -> [[Tensor?]] {
      let loop = try Self.loop(Self.settings(microbatch: 10, augment: augment), teacher: teacher)
      var result: [[Tensor?]] = []
      loop.inspectGradients = { _, gradients in result.append(gradients) }
      while result.isEmpty { _ = try loop.advance() }
      return result
    }
    let (augmented, plain) = (try gradients(0.5)[0], try gradients(0)[0])
    let index = try #require(teacher.specifications.firstIndex { $0.name == "model.map_augment.weight" })
    #expect(plain[index] == nil && augmented[index]?.isFinite == true)
    #expect(augmented.last??.values != plain.last??.values)
  }

  @Test("A step that would leave the finite is refused with an error, and the state is as before")
  func divergence() throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    var settings = Self.settings(microbatch: 5)
    (settings.fakeScoreLearningRate, settings.dropout) = (.greatestFiniteMagnitude, 0)
    let loop = try Self.loop(settings, teacher: teacher)
    #expect { for _ in 0..<6 { _ = try loop.advance() } } throws: { ($0 as? Failure)?.status == .software }
    #expect(Self.bits(loop.state.fakeScore) == Self.bits(teacher))
    #expect(loop.state.imagesSeen == 0)
    // The same state goes on where the rates are sensible.
    (settings.fakeScoreLearningRate) = 1e-4
    let again = try Self.loop(settings, teacher: teacher, state: loop.state)
    _ = try again.advance()
    #expect(Self.bits(again.state.fakeScore) != Self.bits(teacher))
  }

  @Test("One image that is no number does not end the training, whatever the micro-batch")
  func oneBadImage() throws {
    struct Poisoned: DrawSource {
      let draws: SeededDraws
      func draws(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> StepDraws {
        var step = draws.draws(phase, imagesSeen: imagesSeen, images: images)
        if images.contains(2), phase == .fakeScore {
          let size = step.latents.count / images.count
          step.latents.withUnsafeMutableBufferPointer { $0[(2 - images.lowerBound) * size] = .nan }
        }
        return step
      }
    }
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    for microbatch in [1, 10] {
      let settings = Self.settings(microbatch: microbatch)
      let draws = SeededDraws(
        seed: 1, imageShape: teacher.imageShape, labels: UniformLabels(seed: 1, classes: teacher.configuration.labelDim)
      )
      let loop = try Distillation(teacher: teacher, settings: settings, draws: Poisoned(draws: draws))
        .loop(from: TrainingState(teacher: teacher, settings: settings))
      var summary: IterationSummary?
      while summary == nil { summary = try loop.advance() }
      #expect(summary?.objectives["fake_score"]?.isFinite == true)
    }
  }

  @Test("Labels are drawn evenly and each image's draws depend on nothing but its number")
  func draws() {
    let draws = SeededDraws(seed: 5, imageShape: [4, 4, 1], labels: UniformLabels(seed: 5, classes: 10))
    let whole = draws.draws(.generator, imagesSeen: 1000, images: 0..<64)
    let part = draws.draws(.generator, imagesSeen: 1000, images: 20..<24)
    #expect(part.latents.values == whole.latents.rows(20..<24).values)
    #expect(part.noise.values == whole.noise.rows(20..<24).values)
    #expect(part.levels == Array(whole.levels[20..<24]))
    #expect(part.classLabels?.values == whole.classLabels?.rows(20..<24).values)
    #expect(whole.latents.values != whole.noise.values)
    #expect(draws.draws(.fakeScore, imagesSeen: 1000, images: 0..<64).latents.values != whole.latents.values)
    let counts = draws.draws(.generator, imagesSeen: 0, images: 0..<5000).classLabels?.values ?? []
    for label in 0..<10 {
      let count = stride(from: label, to: counts.count, by: 10).reduce(0) { $0 + counts[$1] }
      #expect(abs(count - 500) < 100)
    }
  }

  @Test("Learning rates fall linearly from the start of the decay to its final share")
  func decay() {
    var s = DistillationSettings()
    (s.durationKimg, s.learningRateDecayStartKimg, s.learningRateDecayFinal) = (61.44, 30.72, 0.05)
    #expect(s.schedule(1)(afterImages: 0) == 1)
    #expect(s.schedule(1)(afterImages: 30_720) == 1)
    #expect(abs(s.schedule(1)(afterImages: 46_080) - 0.525) < 1e-12)
    #expect(abs(s.schedule(1)(afterImages: 61_440) - 0.05) < 1e-12)
  }
}
