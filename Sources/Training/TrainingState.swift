import Compute
import Diagnostics
import Models

/// A network in training, its optimizer and, where one is kept, its average.
public struct TrainedNetwork: Sendable {
  /// By which turns and files know it, for example "generator".
  public let name: String
  /// The network.
  public package(set) var network: Network
  /// The average of its parameters; buffers are those of the start.
  public package(set) var average: Network?
  package var adam: Adam

  /// - Parameters:
  ///   - name: by which turns and files know it.
  ///   - network: where it stands.
  ///   - average: the average of its parameters, if one is kept.
  ///   - adam: its optimizer.
  public init(name: String, network: Network, average: Network?, adam: Adam) {
    (self.name, self.network, self.average, self.adam) = (name, network, average, adam)
  }

  /// Sets of the network's weights that it takes: itself, the average, and the moments of the optimizer.
  public var weightSets: Int { 2 + (average == nil ? 0 : 1) + (adam.beta1 > 0 ? 1 : 0) }

  /// Updates the parameters, and in the same pass average = parameter + beta * (average - parameter), unless that would
  /// take one of them out of the finite.
  /// - Parameters:
  ///   - gradients: in the order of the parameters; those without one stay.
  ///   - gradientLimit: the largest size of an element of a gradient; nil for none.
  /// - Returns: the name of the parameter that would no longer be finite; then nothing has changed.
  mutating func step(
    _ gradients: [Tensor?], learningRate: Double, gradientLimit: Float? = nil, beta: Double?
  ) -> String? {
    let specifications = network.specifications
    let broken: Int?
    if let beta, var kept = average {
      // Out of its place, so that the average has one owner and is updated there.
      average = nil
      broken = adam.step(
        &network.parameters, gradients: gradients, learningRate: learningRate, gradientLimit: gradientLimit,
        average: &kept.parameters, beta: beta
      ) { specifications[$0].isTrainable }
      average = kept
    } else {
      broken = adam.step(
        &network.parameters, gradients: gradients, learningRate: learningRate, gradientLimit: gradientLimit)
    }
    return broken.map { specifications[$0].name }
  }
}

/// Everything that changes during a training.
public struct TrainingState: Sendable {
  /// The networks that are trained, in the order of the turns.
  public package(set) var networks: [TrainedNetwork]
  /// Images of all finished iterations: with it, the position in data and draws.
  public package(set) var imagesSeen: Int
  /// The turn under way, by the name of the network that it trains.
  public package(set) var turn: String
  /// The gradients of that turn.
  package var pending: GradientSum
  /// The objectives of the turns of this iteration that are done, by name.
  public package(set) var objectives: [String: Double]

  /// The start of a training.
  /// - Parameters:
  ///   - networks: in the order of the turns, at least one, each with a name of its own.
  ///   - cut: how a batch is cut.
  ///   - imagesSeen: where the count begins.
  public init(networks: [TrainedNetwork], cut: MicroBatches, imagesSeen: Int = 0) {
    precondition(
      !networks.isEmpty && Set(networks.map(\.name)).count == networks.count, "networks without names of their own")
    (self.networks, self.imagesSeen, turn) = (networks, imagesSeen, networks[0].name)
    (pending, objectives) = (GradientSum(cut), [:])
  }

  package init(
    networks: [TrainedNetwork], imagesSeen: Int, turn: String, pending: GradientSum, objectives: [String: Double]
  ) {
    (self.networks, self.imagesSeen, self.turn) = (networks, imagesSeen, turn)
    (self.pending, self.objectives) = (pending, objectives)
  }

  /// A network by its name, which must be one of them.
  public subscript(name: String) -> TrainedNetwork { networks[position(name)] }

  func position(_ name: String) -> Int {
    guard let position = networks.firstIndex(where: { $0.name == name }) else {
      preconditionFailure("no network \(name) is trained")
    }
    return position
  }

  /// Images of finished iterations and the share of the one under way.
  public var imagesDone: Int {
    imagesSeen + (position(turn) * pending.cut.batch + pending.imagesDone) / networks.count
  }

  /// Whether an iteration ends here and the next one has not begun.
  public var isBetweenIterations: Bool { turn == networks[0].name && pending.isEmpty }

  /// Refuses a state that cannot be one of a run.
  ///
  /// - Parameters:
  ///   - specifications: the parameters that all its networks must have.
  ///   - durationImages: the images that the run trains on.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` (`dataError`, `cannotCreate`) that says what does not fit.
  public func check(_ specifications: [ParameterSpecification], durationImages: Int, origin: String) throws {
    guard networks.allSatisfy({ $0.network.specifications == specifications }) else {
      throw Failure(.dataError, origin, "its networks have another architecture than this run has")
    }
    guard imagesSeen % pending.cut.batch == 0 else {
      throw Failure(
        .dataError, origin, "its counters do not belong to a training with --batch \(pending.cut.batch)")
    }
    guard imagesSeen <= durationImages else {
      throw Failure(
        .cannotCreate, origin, "has seen \(imagesSeen) images already, more than --duration-kimg asks for",
        remedy: "give a longer --duration-kimg, or another --state")
    }
  }
}
