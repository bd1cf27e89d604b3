import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Images
import Models
import TestSupport
import Testing
import Training
import TrainingData

@Suite("An adversarial training of this package's own draws", .serialized)
struct AdversarialTrainingTests {
  static func settings(microbatch: Int, group: AdversarialSettings.Group = .microbatch, augment: Float = 0.5)
    -> DistillationSettings
  {
    var s = ResumptionTests.settings(microbatch: microbatch, augment: augment)
    var adversarial = AdversarialSettings()
    (adversarial.generatorStartKimg, adversarial.adversarialStartKimg, adversarial.group) = (0.005, 0.015, group)
    s.adversarial = adversarial
    return s
  }

  static func loop(
    _ settings: DistillationSettings, state: TrainingState? = nil, ranks: any Ranks = OneRank(),
    images: (any RealImageSource)? = nil
  ) throws -> TrainingLoop {
    let teacher = try loadNetwork("golden/checkpoints/sida_warm2_teacher.pkl")
    let dataset = try ImageDataset(contentsOf: Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"))
    let order = DatasetOrder(count: dataset.count, batch: settings.batch, seed: settings.seed)
    let labels = DatasetLabels(try #require(try dataset.labels()), classes: 10, order: order)
    let draws = SeededDraws(
      seed: settings.seed, imageShape: teacher.imageShape, labels: labels,
      augmentations: SeededAugmentations(settings, imageShape: teacher.imageShape))
    return try Distillation(
      teacher: teacher, settings: settings, draws: draws,
      realImages: images ?? DatasetImages(dataset.images, order: order)
    ).loop(from: state ?? TrainingState(teacher: teacher, settings: settings), ranks: ranks)
  }

  static func bits(_ state: TrainingState) -> [[Float]] { RankTests.bits(state) }

  @Test("Stopped after every micro-batch it gives the same bits, on any number of ranks too")
  func sameBits() throws {
    let settings = Self.settings(microbatch: 4)
    let whole = try Self.loop(settings)
    for _ in 0..<3 { while try whole.advance() == nil {} }
    let expected = Self.bits(whole.state)

    let folder = try TemporaryFolder()
    let path = folder.file("state.h5")
    var state: TrainingState?
    repeat {
      let part = try Self.loop(settings, state: state)
      _ = try part.advance()
      try HDF5File.publish(path) { try part.state.write(to: $0) }
      state = try TrainingState(
        reading: try HDF5File.open(path), networks: TrainingState.distillationNetworks, cut: settings.cut)
    } while state?.imagesSeen != 30
    #expect(Self.bits(try #require(state)) == expected)

    for ranks in [2, 3] {
      let states = try RankTeam.run(ranks) { ranks in
        let loop = try Self.loop(settings, ranks: ranks)
        for _ in 0..<3 { while try loop.advance() == nil {} }
        return loop.state
      }
      for state in states { #expect(Self.bits(state) == expected, "\(ranks) ranks") }
    }
  }

  @Test("The generator begins to learn behind its start; its average stays equal until then")
  func start() throws {
    let loop = try Self.loop(Self.settings(microbatch: 10))
    let teacher = Self.bits(loop.state)
    while try loop.advance() == nil {}
    let third = teacher.count / 3
    let first = Self.bits(loop.state)
    #expect(first[..<third] != teacher[..<third])
    #expect(Array(first[third...]) == Array(teacher[third...]))
    while try loop.advance() == nil {}
    #expect(Array(Self.bits(loop.state)[third..<2 * third]) != Array(teacher[third..<2 * third]))
  }

  @Test("Averaged over each image the micro-batch changes nothing but rounding")
  func perImage() throws {
    func gradients(_ microbatch: Int) throws -> [Float] {
      let loop = try Self.loop(Self.settings(microbatch: microbatch, group: .image))
      var result: [Float] = []
      loop.inspectGradients = { turn, gradients in
        if turn == "fake_score" { result = gradients.flatMap { $0?.values ?? [] } }
      }
      while result.isEmpty { _ = try loop.advance() }
      return result
    }
    #expect(Distance(try gradients(3), try gradients(10)).relative < 3e-5)
  }

  @Test("What is drawn for real images is their own, and a function of the image alone")
  func draws() throws {
    let settings = Self.settings(microbatch: 10)
    let labels = UniformLabels(seed: 1, classes: 0)
    func draws(_ settings: DistillationSettings) -> SeededDraws {
      SeededDraws(
        seed: 5, imageShape: [8, 8, 3], labels: labels,
        augmentations: SeededAugmentations(settings, imageShape: [8, 8, 3]))
    }
    let whole = draws(settings).draws(.fakeScore, imagesSeen: 20, images: 0..<10)
    let part = draws(settings).draws(.fakeScore, imagesSeen: 20, images: 4..<7)
    let (fake, real) = (try #require(whole.augmentation), try #require(whole.real.augmentation))
    #expect(fake.labels.values != real.labels.values)
    #expect(try #require(part.real.augmentation).labels.values == real.labels.rows(4..<7).values)
    #expect(try #require(whole.dropout).key != (try #require(whole.real.dropout)).key)
    #expect(try #require(part.real.dropout).key == (try #require(whole.real.dropout)).key)
    var plain = settings
    plain.adversarial = nil
    let without = draws(plain).draws(.fakeScore, imagesSeen: 20, images: 0..<10)
    #expect(without.real.augmentation == nil && without.augmentation?.labels.values == fake.labels.values)
    #expect(draws(settings).draws(.generator, imagesSeen: 20, images: 0..<10).real.augmentation == nil)
  }

  @Test("A data set that cannot be read on one rank ends all of them, and the state stays")
  func unreadable() throws {
    struct Broken: RealImageSource {
      func realImages(imagesSeen: Int, images: Range<Int>) throws -> Tensor {
        if images.contains(9) { throw Failure(.dataError, "images.zip", "image 9 is damaged") }
        return Tensor(shape: [images.count, 8, 8, 3])
      }
    }
    let outcomes = try RankTeam.run(2) { ranks -> String in
      let loop = try Self.loop(Self.settings(microbatch: 5), ranks: ranks, images: Broken())
      let before = Self.bits(loop.state)
      var told = "nothing"
      do { while try loop.advance() == nil {} } catch let failure as Failure { told = "\(failure)" }
      #expect(Self.bits(loop.state) == before && loop.state.imagesSeen == 0)
      return told
    }
    #expect(outcomes.allSatisfy { $0.contains("image 9 is damaged") }, "\(outcomes)")
  }

  @Test("Without an adversarial part settings are written as before")
  func settingsWithout() throws {
    let encoder = JSONEncoder()
    let plain = try #require(String(data: try encoder.encode(DistillationSettings()), encoding: .utf8))
    #expect(!plain.contains("adversarial"))
    let settings = Self.settings(microbatch: 4)
    let again = try JSONDecoder().decode(DistillationSettings.self, from: try encoder.encode(settings))
    #expect(again == settings)
  }
}
