import Diagnostics
import Training

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
    adopt(epsilon: settings.adamEpsilon, dropout: settings.dropout)
  }
}
