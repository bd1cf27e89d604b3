import Compute
import Denoising
import Diagnostics
import Foundation
import HDF5
import Images
import TestSupport
import Testing
import Training
import TrainingData

import Models

@Suite("A teacher is trained on a data set", .serialized)
struct TeacherTrainingTests {
  /// A small network for the digits.
  static func configuration(precond: String = "EDMPrecond", modelType: String = "SongUNet", augment: Bool = true)
    -> NetworkConfiguration
  {
    var c = NetworkConfiguration(
      defaultsOf: modelType, precond: precond, imgResolution: 8, imgChannels: 1)
    (c.modelChannels, c.channelMult, c.numBlocks, c.attnResolutions) = (8, [1, 2], 1, [4])
    (c.labelDim, c.augmentDim) = (10, augment ? 9 : 0)
    return c
  }

  static let settings: TeacherSettings = {
    var s = TeacherSettings()
    (s.batch, s.microbatch, s.learningRate, s.learningRateRampKimg) = (19, 3, 4e-3, 0.2)
    (s.emaHalfLifeKimg, s.dropout, s.augment, s.durationKimg, s.seed) = (1, 0.1, 0.3, 0.095, 11)
    return s
  }()

  struct Course {
    let loop: TrainingLoop

    init(
      _ configuration: NetworkConfiguration = TeacherTrainingTests.configuration(),
      _ settings: TeacherSettings = TeacherTrainingTests.settings, from state: TrainingState? = nil,
      ranks: any Ranks = OneRank()
    ) throws {
      let dataset = try ImageDataset(contentsOf: Fixtures.digits("digits-8x8.zip"))
      let training = try TeacherTraining(
        configuration, settings: settings,
        draws: DatasetDraws(
          dataset.images, labels: try dataset.labels(), classes: configuration.labelDim,
          training: try DenoisingTraining.required(for: configuration, origin: "test"), settings: settings),
        origin: "test")
      let start =
        try state
        ?? TrainingState(
          teacher: try Network(configuration: configuration, initialSeed: settings.seed, origin: "test"),
          settings: settings)
      loop = try training.loop(from: start, ranks: ranks)
    }

    /// The statistics of some iterations.
    func train(_ iterations: Int) throws -> [LossStatistics] {
      try (0..<iterations).map { _ in
        while true { if let summary = try loop.advance() { return try #require(LossStatistics(sums: summary.sums)) } }
      }
    }
  }

  static func bits(_ state: TrainingState) -> [[Float]] {
    let trained = state[TrainingState.teacher]
    return trained.network.specifications.indices.flatMap {
      [
        trained.network.stateDictTensor($0).values, trained.average?.stateDictTensor($0).values ?? [],
        trained.adam.moments[$0]?.first?.values ?? [], trained.adam.moments[$0]?.second.values ?? [],
      ]
    }
  }

  @Test(
    "The loss falls, with every preconditioner and network",
    arguments: [
      ("EDMPrecond", "SongUNet"), ("EDMPrecond", "DhariwalUNet"), ("VPPrecond", "SongUNet"), ("VEPrecond", "SongUNet"),
    ])
  func learns(precond: String, modelType: String) throws {
    var settings = Self.settings
    (settings.batch, settings.microbatch, settings.learningRateRampKimg) = (32, 32, 0.3)
    (settings.augment, settings.dropout) = (0, 0)
    let course = try Course(Self.configuration(precond: precond, modelType: modelType, augment: false), settings)
    let losses = try course.train(90)
    func mean(_ part: ArraySlice<LossStatistics>) -> Double {
      // Of what is not hopeless: at the lowest levels of VE the weight is 2500.
      var all = LossStatistics()
      for one in part { all.add(one) }
      return all.mean
    }
    let (first, last) = (mean(losses.prefix(10)), mean(losses.suffix(15)))
    #expect(last < 0.75 * first, "\(first) to \(last)")
    #expect(losses.allSatisfy { $0.count == 32 * 64 && $0.deviation > 0 })
    for one in losses {
      let counted = one.byLevel.reduce(0.0) { sum, level in sum + level.count }
      #expect(counted == one.count)
    }
  }

  @Test("The first step has rate 0: weights stay, moments move, and the average is the network")
  func firstStep() throws {
    let course = try Course()
    let before = course.loop.state[TrainingState.teacher]
    _ = try course.train(1)
    let after = course.loop.state[TrainingState.teacher]
    #expect(before.network.parameters.map(\.values) == after.network.parameters.map(\.values))
    #expect(after.average?.parameters.map(\.values) == after.network.parameters.map(\.values))
    #expect(after.adam.moments.contains { $0?.step == 1 && $0?.second.values.contains { $0 > 0 } == true })
    _ = try course.train(1)
    #expect(
      before.network.parameters.map(\.values)
        != course.loop.state[TrainingState.teacher].network.parameters.map(\.values))
  }

  @Test("Stopped at any micro-batch it goes on with the same bits; so do its statistics")
  func resumes() throws {
    let whole = try Course()
    let statistics = try whole.train(3)
    let folder = try TemporaryFolder()
    let path = folder.file("state.h5")
    var state: TrainingState?
    var seen: [LossStatistics] = []
    for step in 0..<21 {
      Threads.use(1 + step % 2)
      let part = try Course(from: state)
      if let summary = try part.loop.advance() { seen.append(try #require(LossStatistics(sums: summary.sums))) }
      try HDF5File.publish(path) { try part.loop.state.write(to: $0) }
      state = try TrainingState(
        reading: try HDF5File.open(path), networks: TrainingState.teacherNetworks, cut: Self.settings.cut)
    }
    Threads.use(2)
    #expect(Self.bits(try #require(state)) == Self.bits(whole.loop.state))
    #expect(seen == statistics)
  }

  @Test("The same bits on one, two and three ranks, with the same statistics")
  func ranks() throws {
    let one = try Course()
    let statistics = try one.train(3)
    for count in [1, 2, 3] {
      let all = try RankTeam.run(count) { ranks in
        let course = try Course(ranks: ranks)
        let statistics = try course.train(3)
        return (Self.bits(course.loop.state), statistics)
      }
      for (bits, seen) in all {
        #expect(bits == Self.bits(one.loop.state), "\(count) ranks")
        #expect(seen == statistics, "\(count) ranks")
      }
    }
  }

  @Test("Images come in the official sampler's order, with their labels; the micro-batch changes no draw")
  func draws() throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.digits("digits-8x8.zip"))
    let labels = try #require(try dataset.labels())
    let draws = DatasetDraws(
      dataset.images, labels: labels, classes: 10, training: .edm(sigmaData: 0.5), settings: Self.settings)
    var walk = ShuffledWalk(count: dataset.count, seed: Self.settings.seed)
    let order = walk.indices(0..<57)
    #expect(draws.indices(imagesSeen: 38, images: 0..<19) == Array(order[38..<57]))
    let whole = try draws.draws(imagesSeen: 38, images: 0..<19)
    for range in [0..<5, 5..<19] {
      let part = try draws.draws(imagesSeen: 38, images: range)
      #expect(part.images.values == whole.images.rows(range).values)
      #expect(part.noise.values == whole.noise.rows(range).values)
      #expect(part.levels == Array(whole.levels[range]))
      #expect(part.classLabels?.values == whole.classLabels?.rows(range).values)
      #expect(part.dropout?.key == whole.dropout?.key && part.dropout?.firstImage == range.lowerBound)
      let augmented = part.augmentation?(part.images).values
      #expect(augmented != nil && augmented == whole.augmentation?(whole.images).rows(range).values)
    }
    let pixels = try dataset.images.images(order[40]..<order[40] + 1).map { Float($0) / 127.5 - 1 }
    #expect(whole.images.rows(2..<3).values == pixels)
    #expect(whole.classLabels?.rows(2..<3).values[labels[order[40]]] == 1)
    let other = try draws.draws(imagesSeen: 57, images: 0..<19)
    #expect(other.levels != whole.levels && other.dropout?.key != whole.dropout?.key)
    let uniform = DatasetDraws(
      dataset.images, labels: nil, classes: 0, training: .varianceExploding, settings: Self.settings)
    let step = try uniform.draws(imagesSeen: 0, images: 0..<19)
    #expect(step.levels.allSatisfy { (0..<1).contains($0) } && step.classLabels == nil)
  }

  @Test("iDDPM's preconditioner has no training")
  func refusesIDDPM() throws {
    let refused = #expect(throws: Failure.self) {
      try Course(Self.configuration(precond: "iDDPMPrecond", modelType: "DhariwalUNet", augment: false))
    }
    #expect(refused?.problem.contains("iDDPMPrecond") == true)
  }
}
