import Compute
import Distillation
import HDF5
import Models
import TestSupport
import Testing
import Training

@Suite("A distillation gives the same bits on any number of ranks", .serialized)
struct RankTests {
  static let settings: DistillationSettings = {
    var s = ResumptionTests.settings(microbatch: 1, augment: 0.3)
    (s.batch, s.durationKimg, s.learningRateDecayStartKimg) = (19, 0.095, nil)
    return s
  }()

  /// The weights after some iterations.
  static func bits(_ state: TrainingState) -> [[Float]] {
    [state.fakeScore, state.generator, state.generatorEMA].flatMap { network in
      network.specifications.indices.map { network.stateDictTensor($0).values }
    }
  }

  static func train(
    _ teacher: Network, from state: TrainingState? = nil, ranks: any Ranks, iterations: Int, andMicrobatches: Int = 0
  ) throws -> TrainingState {
    let loop = try ResumptionTests.loop(settings, teacher: teacher, state: state, ranks: ranks)
    for _ in 0..<iterations { while try loop.advance() == nil {} }
    for _ in 0..<andMicrobatches { _ = try loop.advance() }
    return try loop.gatheredState()
  }

  @Test("Five iterations on 1, 2, 3, 5, 8 and 16 ranks")
  func ranks() throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    let one = Self.bits(try Self.train(teacher, ranks: OneRank(), iterations: 5))
    for count in [1, 2, 3, 5, 8, 16] {
      let states = try RankTeam.run(count) { try Self.train(teacher, ranks: $0, iterations: 5) }
      #expect(states.count == count)
      for state in states { #expect(Self.bits(state) == one, "\(count) ranks") }
    }
  }

  @Test("A run that goes on with another number of ranks, between two iterations and within one")
  func changedRanks() throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    let one = Self.bits(try Self.train(teacher, ranks: OneRank(), iterations: 4))
    let folder = try TemporaryFolder()
    for (before, after, microbatches) in [(1, 16, 7), (16, 1, 1), (3, 8, 4), (8, 3, 2), (5, 2, 0), (2, 5, 13)] {
      let first = try RankTeam.run(before) {
        try Self.train(teacher, ranks: $0, iterations: 1, andMicrobatches: microbatches)
      }[0]
      let path = folder.file("\(before)-\(after).h5")
      try HDF5File.publish(path) { try first.write(to: $0) }
      let states = try RankTeam.run(after) { ranks in
        let saved = try TrainingState(
          reading: try HDF5File.open(path), networks: TrainingState.distillationNetworks, cut: Self.settings.cut)
        return try Self.train(teacher, from: saved, ranks: ranks, iterations: 3)
      }
      #expect(Self.bits(states[0]) == one, "\(before) to \(after) ranks, \(microbatches) micro-batches within")
    }
  }

  @Test("Messages and bytes of an iteration are those of the formula", arguments: [2, 4, 16])
  func traffic(count: Int) throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    var settings = Self.settings
    (settings.batch, settings.microbatch) = (32, 1)
    let traffic = try RankTeam.counting(count) { ranks in
      let loop = try ResumptionTests.loop(settings, teacher: teacher, ranks: ranks)
      while try loop.advance() == nil {}
    }.traffic
    let trained = teacher.specifications.filter(\.isTrainable)
    let (pairs, turns, parameters) = (count * (count - 1), 2, teacher.specifications.count)
    // Before each micro-batch is added one word from all to all: whether its loss is a number.
    let questions = turns * settings.cut.count / count * pairs
    // Then what each rank has summed: how many parameters, the shape of each, and of its one part six words and a mask.
    let shapes = teacher.specifications.reduce(0) { $0 + 1 + ($1.isTrainable ? $1.shape.count : 0) }
    let descriptions = turns * pairs * (1 + shapes + 6 + parameters)
    // Each rank's slices to their ranks, and the sums of its own slice to all: (R - 1)/R of the gradients, twice.
    let gradients = turns * 2 * (count - 1) * trained.reduce(0) { $0 + $1.shape.reduce(1, *) }
    #expect(traffic.bytes == 4 * (questions + descriptions + gradients))
    #expect(traffic.messages == questions + turns * 3 * pairs)
  }

  @Test("More ranks than groups are refused")
  func tooMany() throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    #expect { try RankTeam.run(17) { try Self.train(teacher, ranks: $0, iterations: 1) } } throws: {
      "\($0)".contains("16") && "\($0)".contains("--gradient-groups")
    }
  }
}
