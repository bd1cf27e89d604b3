import Compute
import Diagnostics
import HDF5
import Models
import Training

/// A training state in another program's file, whose tensors are read one at a time.
///
/// Between two iterations: the official trainer saves nowhere else.
public struct ImportedTrainingState {
  /// One of the three networks.
  public struct SavedNetwork {
    /// Its architecture.
    public let configuration: NetworkConfiguration
    /// Its state_dict.
    public let tensors: any TensorSource

    /// - Parameters:
    ///   - configuration: the architecture.
    ///   - tensors: the state_dict.
    public init(configuration: NetworkConfiguration, tensors: any TensorSource) {
      (self.configuration, self.tensors) = (configuration, tensors)
    }
  }

  /// The state of a PyTorch Adam.
  public struct SavedAdam {
    /// Decay of the first moment.
    public let beta1: Double
    /// Decay of the second moment.
    public let beta2: Double
    /// Added to the root of the second moment.
    public let epsilon: Double
    /// The step size it had; kept as a record.
    public let learningRate: Double
    /// Steps, first and second moment of a parameter, by its number among the trainable ones; nil where it never had a
    /// gradient.
    public let moments: (Int) throws -> (step: Int, first: Tensor, second: Tensor)?

    /// - Parameters:
    ///   - beta1: decay of the first moment.
    ///   - beta2: decay of the second moment.
    ///   - epsilon: added to the root of the second moment.
    ///   - learningRate: the step size it had.
    ///   - moments: what is known of a parameter, by its number among the trainable ones.
    public init(
      beta1: Double, beta2: Double, epsilon: Double, learningRate: Double,
      moments: @escaping (Int) throws -> (step: Int, first: Tensor, second: Tensor)?
    ) {
      (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
      (self.learningRate, self.moments) = (learningRate, moments)
    }
  }

  /// How far the run is.
  public enum Progress: Sendable {
    /// Images of all finished iterations.
    case images(Int)
    /// Finished iterations, of a batch that whoever goes on has to know.
    case iterations(Int)
  }

  let fakeScore: SavedNetwork, generator: SavedNetwork, generatorEMA: SavedNetwork
  let fakeScoreAdam: SavedAdam, generatorAdam: SavedAdam
  let progress: Progress

  /// - Parameters:
  ///   - fakeScore: the fake score network.
  ///   - generator: the generator.
  ///   - generatorEMA: its average.
  ///   - fakeScoreAdam: the fake score's optimizer.
  ///   - generatorAdam: the generator's optimizer.
  ///   - progress: how far the run is.
  public init(
    fakeScore: SavedNetwork, generator: SavedNetwork, generatorEMA: SavedNetwork, fakeScoreAdam: SavedAdam,
    generatorAdam: SavedAdam, progress: Progress
  ) {
    (self.fakeScore, self.generator, self.generatorEMA) = (fakeScore, generator, generatorEMA)
    (self.fakeScoreAdam, self.generatorAdam, self.progress) = (fakeScoreAdam, generatorAdam, progress)
  }

  /// Writes a training state file from which `sid-distill` goes on.
  ///
  /// - Parameters:
  ///   - file: new.
  ///   - origin: the source, which errors name.
  ///   - allowsNonFinite: whether weights may be other than finite numbers.
  /// - Throws: a `Failure` naming the tensor that is missing, of another shape or not finite.
  public func write(to file: HDF5File, origin: String, allowsNonFinite: Bool) throws {
    let root = file.root
    try TrainingState.writeFormat(to: root)
    switch progress {
    case .images(let count): try root.setAttribute("images_seen", count)
    case .iterations(let count): try root.setAttribute("iterations", count)
    }
    var specifications: [ParameterSpecification] = []
    for (name, network) in [("fake_score", fakeScore), ("generator", generator), ("generator_ema", generatorEMA)] {
      let state = try StateDictionary(network.configuration, source: network.tensors, origin: origin)
      guard specifications.isEmpty || state.specifications == specifications else {
        throw Failure(.dataError, origin, "its three networks have different architectures")
      }
      specifications = state.specifications
      try Network.write(network.configuration, specifications, to: try root.createGroup(name)) {
        try allowsNonFinite ? state.tensor($0) : state.finiteTensor($0)
      }
    }
    for (name, adam) in [("fake_score_optimizer", fakeScoreAdam), ("generator_optimizer", generatorAdam)] {
      let group = try root.createGroup(name)
      try adam.write(to: group, specifications, origin: origin)
      try group.setAttribute("learning_rate", adam.learningRate)
    }
    try TrainingState.writePending(turn: DistillationPhase.fakeScore.network, to: root)
  }
}

extension ImportedTrainingState.SavedAdam {
  fileprivate func write(to group: HDF5Group, _ specifications: [ParameterSpecification], origin: String) throws {
    var numbers: [Int?] = []
    var count = 0
    for specification in specifications {
      numbers.append(specification.isTrainable ? count : nil)
      if specification.isTrainable { count += 1 }
    }
    let adam = Adam(count: specifications.count, beta1: beta1, beta2: beta2, epsilon: epsilon)
    try adam.write(to: group, names: specifications) { index in
      guard let number = numbers[index], let saved = try moments(number) else { return nil }
      let specification = specifications[index]
      guard saved.first.shape == specification.shape, saved.second.shape == specification.shape else {
        throw Failure(
          .dataError, origin,
          "the moments of parameter \(number) have shape \(saved.second.shape); \"\(specification.name)\" has "
            + "\(specification.shape)")
      }
      guard (1...1 << 40).contains(saved.step), saved.first.isFinite, saved.second.isFinite else {
        throw Failure(.dataError, origin, "the moments of \"\(specification.name)\" are not finite or of no step")
      }
      return Adam.Moments(step: saved.step, first: beta1 == 0 ? nil : saved.first, second: saved.second)
    }
  }
}

extension TrainingState {
  /// Makes a state that another program saved fit for a run here.
  ///
  /// The networks take the dropout of the run, and the count of images the nearest multiple of its batch: iterations are
  /// never cut here.
  /// - Throws: a `Failure` (`cannotCreate`) where the generator's optimizer has another beta1 than the run.
  public mutating func adopt(_ settings: DistillationSettings, origin: String) throws {
    let beta1 = networks.map(\.adam.beta1)
    guard beta1 == [0, settings.generatorBeta1] else {
      throw Failure(
        .cannotCreate, origin,
        "its optimizers have beta1 \(beta1[0]) (fake score) and \(beta1[1]) (generator); this run has 0 and "
          + "\(settings.generatorBeta1)", remedy: "give --g-beta1 as the run was started with")
    }
    for index in networks.indices {
      networks[index].adam.epsilon = settings.adamEpsilon
      networks[index].network = networks[index].network.with(dropout: settings.dropout)
      networks[index].average = networks[index].average?.with(dropout: settings.dropout)
    }
    imagesSeen = Int((Double(imagesSeen) / Double(settings.batch)).rounded()) * settings.batch
  }
}
