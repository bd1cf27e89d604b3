import Autograd
import Compute
import Denoising
import Foundation
import HDF5
import Models
import TestSupport
import Testing
import Training

/// A teacher from random weights: the loop and the objective that `sid-distill` has, with other turns.
@Suite("A denoiser is trained from random weights", .serialized)
struct DenoisingTests {
  static let configuration = """
    {"precond":"EDMPrecond","model_type":"SongUNet","img_resolution":8,"img_channels":1,"model_channels":8,\
    "channel_mult":[1,2],"num_blocks":1,"attn_resolutions":[4],"dropout":0.05}
    """

  /// Stripes of random period and phase, [N, 8, 8, 1], values within -1 and 1.
  static func images(_ numbers: Range<Int>) -> Tensor {
    let generator = Philox(seed: 5)
    let values = numbers.flatMap { number -> [Float] in
      let draws = generator.uniforms(2, stream: (UInt64(number % 64), 0))
      return (0..<64).map { sin(Float($0 % 8) * (0.5 + draws[0]) + 6 * draws[1]) }
    }
    return Tensor(values, shape: [numbers.count, 8, 8, 1])
  }

  struct Course {
    let loop: TrainingLoop

    init(_ state: TrainingState? = nil, ranks: any Ranks = OneRank()) throws {
      let configuration = try JSONDecoder().decode(
        NetworkConfiguration.self, from: Data(DenoisingTests.configuration.utf8))
      let network = try Network(configuration: configuration, randomSeed: 3, origin: "test")
      let cut = MicroBatches(batch: 16, microbatch: 4, maximumGroups: 16)
      let adam = Adam(count: network.specifications.count, beta1: 0.9)
      let generator = Philox(seed: 9)
      let turn = TrainingTurn(
        network: "denoiser", title: "denoiser", remedy: "wait",
        learningRate: Schedule.constant(2e-3).ramped(images: 320),
        average: MovingAverage(halfLifeImages: 200, rampupRatio: 0.05), objective: DenoisingLoss()
      ) { networks, microbatch in
        let numbers =
          microbatch.imagesSeen + microbatch.images.lowerBound..<microbatch.imagesSeen + microbatch.images.upperBound
        let noise = numbers.flatMap { generator.normals(64, stream: (UInt64($0), 1)) }
        return DenoisingPass(
          networks.trained, images: DenoisingTests.images(numbers), training: .edm(sigmaData: 0.5),
          levels: numbers.map { generator.normals(1, stream: (UInt64($0), 2))[0] },
          noise: Tensor(noise, shape: [numbers.count, 8, 8, 1]), dropout: (7, microbatch.images.lowerBound),
          batch: microbatch.batch)
      }
      let start = TrainingState(
        networks: [TrainedNetwork(name: "denoiser", network: network, average: network, adam: adam)], cut: cut)
      loop = try TrainingLoop(turns: [turn], state: state ?? start, ranks: ranks)
    }

    /// The objectives of some iterations.
    func train(_ iterations: Int) throws -> [Double] {
      try (0..<iterations).map { _ in
        while true { if let summary = try loop.advance() { return summary.objectives["denoiser"] ?? .nan } }
      }
    }
  }

  static func bits(_ state: TrainingState) -> [[Float]] {
    let trained = state["denoiser"]
    return trained.network.specifications.indices.flatMap {
      [trained.network.stateDictTensor($0).values, trained.average?.stateDictTensor($0).values ?? []]
    }
  }

  @Test("EDM's noise levels are logarithmically normal, by default as published; the weight does not depend on how")
  func noiseLevels() {
    let (published, high) = (
      DenoisingTraining.edm(sigmaData: 0.5), DenoisingTraining.edm(sigmaData: 0.5, pMean: 0.5, pStd: 2)
    )
    for draw: Float in [-2, 0, 0.5, 3] {
      #expect(abs(published.sigma(draw) / exp(1.2 * draw - 1.2) - 1) < 1e-5)
      #expect(abs(high.sigma(draw) / exp(2 * draw + 0.5) - 1) < 1e-5)
      #expect(high.weight(high.sigma(draw)) == published.weight(high.sigma(draw)))
    }
  }

  @Test("The loss falls to a fraction, and the average denoises what it was trained on")
  func learns() throws {
    let course = try Course()
    let losses = try course.train(150)
    let (first, last) = (losses.prefix(10).reduce(0, +), losses.suffix(10).reduce(0, +))
    #expect(last < 0.4 * first, "\(first) to \(last)")
    let images = Self.images(0..<32)
    let noise = Tensor(Philox(seed: 77).normals(32 * 64, stream: (0, 0)), shape: images.shape)
    let noisy = combinedRows(images, [Float](repeating: 1, count: 32), noise, [Float](repeating: 0.5, count: 32))
    func error(_ network: Network) -> Double {
      Distance(network.denoise(noisy, sigma: [0.5]).values, images.values).relative
    }
    let average = try #require(course.loop.state["denoiser"].average)
    let untrained = error(try Course().loop.state["denoiser"].network)
    let (trained, plain) = (error(average), Distance(noisy.values, images.values).relative)
    #expect(trained < 0.7 * plain && trained < 0.5 * untrained, "\(trained), noise \(plain), untrained \(untrained)")
  }

  @Test("Stopped anywhere it goes on with the same bits, on one rank and on three")
  func resumes() throws {
    let whole = try Course()
    _ = try whole.train(4)
    let folder = try TemporaryFolder()
    let path = folder.file("state.h5")
    var state: TrainingState?
    for step in 0..<16 {
      let part = try Course(state)
      _ = try part.loop.advance()
      try HDF5File.publish(path) { try part.loop.state.write(to: $0) }
      state = try TrainingState(
        reading: try HDF5File.open(path), networks: [.init("denoiser", hasAverage: true)],
        cut: MicroBatches(batch: 16, microbatch: 4, maximumGroups: 16))
      #expect(state?.imagesDone == 4 * (step + 1))
    }
    #expect(Self.bits(try #require(state)) == Self.bits(whole.loop.state))
    let states = try RankTeam.run(3) { ranks in
      let course = try Course(ranks: ranks)
      _ = try course.train(4)
      return course.loop.state
    }
    #expect(Self.bits(states[2]) == Self.bits(whole.loop.state))
  }
}
