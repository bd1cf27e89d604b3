import Compute
import Distillation
import Models
import Sampling
import Testing
import Training

/// The cut of the work of published networks into tasks, counted for more cores than any test has.
@Suite("Work for many cores")
struct ManyCoresTests {
  private static let threads = 32
  /// Where a layer is so small a part of the work, its threads may wait.
  private static let negligible = 1e-4

  /// One pass, as one thread does it and as many do.
  private func count(_ body: () throws -> Void) throws -> [(one: CountedLayer, many: CountedLayer)] {
    let one = try WorkCount.layers(threads: 1, body)
    let many = try WorkCount.layers(threads: Self.threads, body)
    try #require(one.map(\.kind) == many.map(\.kind))
    return Array(zip(one, many)).map { ($0, $1) }
  }

  private func expectShared(_ layers: [(one: CountedLayer, many: CountedLayer)], _ name: String) {
    let total = layers.reduce(0) { $0 + $1.one.work }
    #expect(total > 0)
    for (one, many) in layers where one.kind != .other && one.work > Self.negligible * total {
      let share = CountedLayer.serialShare(work: one.work, time: many.time, threads: Self.threads)
      #expect(share <= 0.02, "\(name): \(one.kind.rawValue), \(one.work / total) of the work, \(many.tasks) tasks")
    }
    // What is too small, and what is in no layer, is little in all.
    let rest = layers.filter { $0.one.kind == .other || $0.one.work <= Self.negligible * total }
    #expect(rest.reduce(0) { $0 + $1.many.time } < 0.1 * layers.reduce(0) { $0 + $1.many.time }, "\(name)")
  }

  private func network(_ name: String) throws -> Network {
    let configuration = try #require(NetworkConfiguration.published(name))
    return try Network(configuration: configuration, randomSeed: 0, origin: name)
  }

  @Test(
    "No layer of a published network has a serial share above 2 % on 32 threads",
    arguments: [
      ("cifar10", 32), ("cifar10-cond", 32), ("cifar10-ncsnpp", 32), ("ffhq64", 64), ("imagenet64", 32),
      ("digits", 4096),
    ])
  func sampling(name: String, batch: Int) throws {
    var network: Network?
    _ = try WorkCount.layers(threads: 1) { network = try self.network(name) }
    let generator = try #require(network)
    let shape = [batch] + generator.imageShape
    let classes = generator.configuration.labelDim
    func sample() {
      _ = OneStepSampler()(
        generator, latents: Tensor(shape: shape), classLabels: classes > 0 ? Tensor(shape: [batch, classes]) : nil)
    }
    // Weights are prepared once.
    _ = WorkCount.layers(threads: 1, sample)
    expectShared(try count(sample), name)
  }

  @Test(
    "Nor has one in an iteration of its distillation",
    arguments: [("cifar10", 32), ("cifar10-ncsnpp", 32), ("ffhq64", 64), ("imagenet64", 32), ("digits", 4096)])
  func distillation(name: String, batch: Int) throws {
    var settings = DistillationSettings()
    (settings.batch, settings.microbatch) = (batch, batch)
    var loop: TrainingLoop?
    _ = try WorkCount.layers(threads: 1) {
      let teacher = try network(name)
      let draws = SeededDraws(
        seed: 0, imageShape: teacher.imageShape, labels: UniformLabels(seed: 0, classes: teacher.configuration.labelDim)
      )
      settings.dropout = teacher.configuration.dropout
      loop = try Distillation(teacher: teacher, settings: settings, draws: draws)
        .loop(from: TrainingState(teacher: teacher, settings: settings))
    }
    let training = try #require(loop)
    func iterate() throws { while try training.advance() == nil {} }
    // Moments are made once.
    _ = try WorkCount.layers(threads: 1, iterate)
    expectShared(try count(iterate), name)
  }
}
