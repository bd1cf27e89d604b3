import Autograd
import Compute
import Diagnostics
import Foundation
import Models
import TestSupport
import Testing
import Training

@Suite("A run measures, keeps, saves and stops where it should", .serialized)
struct TrainingRunTests {
  /// Half the sum of squares of what a network makes of noise.
  struct Squares: Objective {
    var factor: Float = 1
    func callAsFunction(_ output: Variable) -> ObjectiveValue {
      let sum = output.value.values.reduce(0.0) { $0 + Double($1 * $1) / 2 }
      return ObjectiveValue(
        value: Double(factor) * sum, countedImages: output.shape[0],
        starts: [(output, scaled(output.value, by: factor))])
    }
  }

  /// A training of a network of one channel, 10 images an iteration in micro-batches of 2.
  static func loop(
    _ state: TrainingState? = nil, ranks: any Ranks = OneRank(), nanAfter: Int = .max, gradientLimit: Float? = nil,
    stepsBehindImages: Int? = nil
  ) throws -> TrainingLoop {
    let json = """
      {"precond":"EDMPrecond","model_type":"SongUNet","img_resolution":4,"img_channels":1,"model_channels":4,\
      "channel_mult":[1],"num_blocks":1,"attn_resolutions":[]}
      """
    let configuration = try JSONDecoder().decode(NetworkConfiguration.self, from: Data(json.utf8))
    let network = try Network(configuration: configuration, randomSeed: 1, origin: "test")
    let generator = Philox(seed: 3)
    let turn = TrainingTurn(
      network: "one", title: "the one", remedy: "wait", learningRate: .constant(1e-3),
      average: MovingAverage(halfLifeImages: 50, rampupRatio: nil), gradientLimit: gradientLimit,
      stepsBehindImages: stepsBehindImages, objective: Squares()
    ) { networks, microbatch in
      let numbers = microbatch.images.map { microbatch.imagesSeen + $0 }
      let values = numbers.flatMap {
        $0 >= nanAfter ? [Float](repeating: .nan, count: 16) : generator.normals(16, stream: (UInt64($0), 0))
      }
      return networks.trained(Variable(Tensor(values, shape: [numbers.count, 4, 4, 1])), sigma: [1])
    }
    let start = TrainingState(
      networks: [
        TrainedNetwork(
          name: "one", network: network, average: network, adam: Adam(count: network.specifications.count, beta1: 0.9))
      ], cut: MicroBatches(batch: 10, microbatch: 2, maximumGroups: 16))
    return try TrainingLoop(turns: [turn], state: state ?? start, ranks: ranks)
  }

  final class Observer: TrainingObserver {
    var events: [String] = []
    var saved: TrainingState?
    var advances = 0
    /// When a stop is asked for, in micro-batches; when a measurement is interrupted, in images.
    var stopAfter = Int.max, interruptedAt = -1, enoughAt = Int.max
    private var measured: [Int] = []

    var isStopRequested: Bool { advances >= stopAfter }
    var isEnough: Bool { measured.contains { $0 >= enoughAt } }
    var isFirstEvaluationMissing: Bool { measured.isEmpty }
    func evaluate(_ state: TrainingState, _ ranks: any Ranks) -> Bool {
      if state.imagesSeen == interruptedAt { return false }
      measured.append(state.imagesSeen)
      events.append("evaluate \(state.imagesSeen)")
      return true
    }
    func didAdvance(imagesDone: Int, _ finished: IterationSummary?) {
      advances += 1
      if let finished { events.append("iteration \(finished.imagesSeen)") }
    }
    func snapshot(_ state: TrainingState) { events.append("snapshot \(state.imagesSeen)") }
    func save(_ state: TrainingState) {
      saved = state
      events.append("save \(state.imagesDone)")
    }
  }

  static func cadence(_ images: Int) -> TrainingCadence {
    TrainingCadence(
      durationImages: images, evaluateKimg: 0.02, snapshotKimg: 0.03, stateKimg: 0.04, stateMinutes: .infinity)
  }

  @Test("A turn that does not step yet leaves network and optimizer; its average follows")
  func steps() throws {
    // An average that is not the network's own.
    var begin = try Self.loop().state
    let index = try #require(begin["one"].network.specifications.firstIndex { $0.isTrainable })
    let shape = begin["one"].network.parameters[index].shape
    begin.networks[0].average?.parameters[index].add(Tensor(shape: shape, repeating: 1))
    let loop = try Self.loop(begin, stepsBehindImages: 20)
    func values(_ network: Network?) -> [[Float]] { network?.parameters.map(\.values) ?? [] }
    let start = values(loop.state["one"].network)
    var gradients = 0
    loop.inspectGradients = { _, sums in gradients += sums.contains { $0 != nil } ? 1 : 0 }
    // Strictly more than 20 images, before the iteration.
    for iteration in 0..<4 {
      let average = values(loop.state["one"].average)
      while try loop.advance() == nil {}
      let one = loop.state["one"]
      #expect((values(one.network) == start) == (iteration < 3))
      #expect(one.adam.moments.compactMap { $0 }.allSatisfy { $0.step == iteration - 2 })
      #expect(one.adam.moments.allSatisfy { $0 == nil } == (iteration < 3))
      #expect(values(one.average) != average)
    }
    #expect(gradients == 4)
  }

  @Test("A limit of the gradient reaches the optimizer, and holds for the sum of the batch")
  func limit() throws {
    func second(_ limit: Float?) throws -> (moments: [[Float]], gradients: [[Float]]) {
      let loop = try Self.loop(gradientLimit: limit)
      var gradients: [[Float]] = []
      loop.inspectGradients = { gradients = $1.map { $0?.values ?? [] } }
      while try loop.advance() == nil {}
      return (loop.state["one"].adam.moments.map { $0?.second.values ?? [] }, gradients)
    }
    let (free, cut) = (try second(nil), try second(0.25))
    #expect(free.gradients == cut.gradients && free.moments != cut.moments)
    for (moments, gradients) in zip(cut.moments, cut.gradients) where !moments.isEmpty {
      for (moment, gradient) in zip(moments, gradients) {
        let g = Double(min(max(gradient, -0.25), 0.25))
        #expect(abs(Double(moment) - 0.001 * g * g) <= 1e-6 * g * g + 1e-30)
      }
    }
  }

  @Test("Every point in its order")
  func order() throws {
    let observer = Observer()
    #expect(try Self.loop().run(Self.cadence(50), observer) == .finished)
    #expect(
      observer.events == [
        "evaluate 0", "iteration 10", "iteration 20", "evaluate 20", "iteration 30", "snapshot 30", "iteration 40",
        "save 40", "evaluate 40", "iteration 50", "save 50", "evaluate 50",
      ])
    #expect(observer.advances == 25)
  }

  @Test("A stop saves within a batch, and what follows equals the run that was never stopped", arguments: [1, 2, 5])
  func stops(ranks: Int) throws {
    let whole = Observer()
    let uninterrupted = try Self.loop()
    _ = try uninterrupted.run(Self.cadence(50), whole)
    let first = try RankTeam.run(ranks) { ranks in
      let observer = Observer()
      // One rank is asked; all of them stop.
      observer.stopAfter = ranks.index == ranks.count - 1 ? 3 : .max
      let ending = try Self.loop(ranks: ranks).run(Self.cadence(50), observer)
      #expect(ending == .stopped)
      #expect((observer.saved != nil) == (ranks.index == 0))
      return observer.saved
    }[0]
    let saved = try #require(first)
    #expect(saved.imagesDone > 0 && (ranks > 1 || saved.imagesDone == 6))
    let rest = Observer()
    let loop = try Self.loop(saved)
    #expect(try loop.run(Self.cadence(50), rest) == .finished)
    let index = loop.state["one"].network.specifications.indices.last ?? 0
    #expect(
      loop.state["one"].network.stateDictTensor(index).values
        == uninterrupted.state["one"].network.stateDictTensor(index).values)
  }

  @Test("Stopped behind a point of measurement, it goes on with several ranks in step")
  func stepOnRanks() throws {
    let first = Observer()
    first.stopAfter = 11  // one micro-batch behind the evaluation at 20 images
    _ = try Self.loop().run(Self.cadence(30), first)
    let saved = try #require(first.saved)
    #expect(saved.imagesDone == 22)
    let events = try RankTeam.run(3) { ranks in
      let observer = Observer()
      _ = try Self.loop(saved, ranks: ranks).run(Self.cadence(30), observer)
      return observer.events
    }
    #expect(events[0].contains("evaluate 30") && events[1] == ["evaluate 20", "iteration 30", "evaluate 30"])
  }

  @Test("A measurement that was interrupted is made up for")
  func interruptedEvaluation() throws {
    let observer = Observer()
    observer.interruptedAt = 20
    #expect(try Self.loop().run(Self.cadence(50), observer) == .stopped)
    #expect(observer.events.last == "save 20")
    let next = Observer()
    #expect(try Self.loop(observer.saved).run(Self.cadence(30), next) == .finished)
    #expect(next.events.prefix(2) == ["evaluate 20", "iteration 30"])
  }

  @Test("What it was started for ends it")
  func enough() throws {
    let observer = Observer()
    observer.enoughAt = 20
    #expect(try Self.loop().run(Self.cadence(50), observer) == .finished)
    #expect(observer.events.last == "evaluate 20")
  }

  @Test("A loss that is no number ends it with an error and the state before, on all ranks", arguments: [1, 3])
  func divergence(ranks: Int) throws {
    let states = Saved()
    #expect {
      _ = try RankTeam.run(ranks) { ranks in
        let observer = Observer()
        defer { states.add(observer.saved) }
        return try Self.loop(ranks: ranks, nanAfter: 24).run(Self.cadence(50), observer)
      }
    } throws: { ($0 as? Failure)?.status == .software && "\($0)".contains("the one") }
    #expect(states.imagesSeen == [20])
  }

  private final class Saved: @unchecked Sendable {
    private let lock = NSLock()
    private var states: [TrainingState] = []
    func add(_ state: TrainingState?) { lock.withLock { if let state { states.append(state) } } }
    var imagesSeen: [Int] { lock.withLock { states.map(\.imagesSeen) } }
  }
}
