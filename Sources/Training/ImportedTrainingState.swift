import Compute
import Diagnostics
import HDF5
import Models

/// A training state in another program's file, whose tensors are read one at a time.
///
/// Between two iterations: the official trainer saves nowhere else.
public struct ImportedTrainingState {
  /// One of the networks.
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

  /// A network in training with its optimizer and, where one is kept, its average.
  public struct SavedTraining {
    let name: String, network: SavedNetwork, average: SavedNetwork?, adam: SavedAdam

    /// - Parameters:
    ///   - name: by which turns and files know it.
    ///   - network: where it stands.
    ///   - average: the average of its parameters.
    ///   - adam: its optimizer.
    public init(name: String, network: SavedNetwork, average: SavedNetwork?, adam: SavedAdam) {
      (self.name, self.network, self.average, self.adam) = (name, network, average, adam)
    }
  }

  let networks: [SavedTraining]
  let progress: Progress

  /// - Parameters:
  ///   - networks: those in training, in the order of their turns, at least one.
  ///   - progress: how far the run is.
  public init(networks: [SavedTraining], progress: Progress) {
    precondition(!networks.isEmpty, "a training without networks")
    (self.networks, self.progress) = (networks, progress)
  }

  /// Writes a training state file from which a training here goes on.
  ///
  /// - Parameters:
  ///   - file: new.
  ///   - origin: the source, which errors name.
  ///   - allowsNonFinite: whether weights may be other than finite numbers.
  /// - Throws: a `Failure` naming the tensor that is missing, of another shape or not finite.
  public func write(to file: HDF5File, origin: String, allowsNonFinite: Bool) throws {
    let root = file.root
    try root.setFormat(TrainingState.format)
    switch progress {
    case .images(let count): try root.setAttribute("images_seen", count)
    case .iterations(let count): try root.setAttribute("iterations", count)
    }
    var specifications: [ParameterSpecification] = []
    let all = networks.flatMap { saved in
      [(saved.name, saved.network)] + (saved.average.map { [(saved.name + "_ema", $0)] } ?? [])
    }
    for (name, network) in all {
      let state = try StateDictionary(network.configuration, source: network.tensors, origin: origin)
      guard specifications.isEmpty || state.specifications == specifications else {
        throw Failure(.dataError, origin, "its networks have different architectures")
      }
      specifications = state.specifications
      try Network.write(network.configuration, specifications, to: try root.createGroup(name)) {
        try allowsNonFinite ? state.tensor($0) : state.finiteTensor($0)
      }
    }
    for saved in networks {
      let group = try root.createGroup(saved.name + "_optimizer")
      try saved.adam.write(to: group, specifications, origin: origin)
      try group.setAttribute("learning_rate", saved.adam.learningRate)
    }
    try TrainingState.writePending(turn: networks[0].name, to: root)
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
  package mutating func adopt(epsilon: Double, dropout: Float) {
    for index in networks.indices {
      networks[index].adam.epsilon = epsilon
      networks[index].network = networks[index].network.with(dropout: dropout)
      networks[index].average = networks[index].average?.with(dropout: dropout)
    }
    let batch = pending.cut.batch
    imagesSeen = Int((Double(imagesSeen) / Double(batch)).rounded()) * batch
  }

  /// Adam's decays of the first moment, of each network.
  package var firstMomentDecays: [Double] { networks.map(\.adam.beta1) }
}
