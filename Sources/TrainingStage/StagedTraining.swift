import Diagnostics
import HDF5
import Models
import Records
import Stage
import Training

/// What figures and plots of a training are called.
public struct TrainingNames: Sendable {
  /// The stage: "distill".
  let stage: String
  /// What the work is called behind "the memory for": "distilling".
  let work: String
  /// The figure of the thousands of images, and that of the seconds.
  let kimgFigure: String, secondsFigure: String
  /// What the figures of the distance begin with.
  let distanceFigure: String
  /// The headings of the plot and of its series.
  let plotTitle: String, seriesTitle: String

  /// - Parameters: as the properties.
  public init(
    stage: String, work: String, kimgFigure: String, secondsFigure: String, distanceFigure: String, plotTitle: String,
    seriesTitle: String
  ) {
    (self.stage, self.work, self.kimgFigure, self.secondsFigure) = (stage, work, kimgFigure, secondsFigure)
    (self.distanceFigure, self.plotTitle, self.seriesTitle) = (distanceFigure, plotTitle, seriesTitle)
  }
}

/// What a run carries besides the networks.
public struct TrainingProgress {
  /// What was measured.
  public var curve = EvaluationCurve()
  /// The samples of the first seeds that were measured; nil where there are none.
  public var samples: SampleHistory?
  /// Of training and evaluating, so far.
  public var seconds = 0.0
  /// Provenance of the state of another trainer's run that this one goes on from.
  public var continues: String?
  /// What the log has of the interval under way, as its own text; nil where there is no log.
  public var log: String?

  /// Nothing yet.
  public init(continues: String? = nil) { self.continues = continues }
}

/// Where a training starts or goes on, and what it needs.
public struct TrainingStart {
  /// nil on ranks that save nothing.
  let lock: StateLock?
  let wanted: Provenance
  let evaluator: Evaluator?
  let means: TrainingMeans
  let state: TrainingState
  let progress: TrainingProgress
}

/// What there is to do.
public enum TrainingWork {
  /// To say what it would cost.
  case estimate(Evaluator?)
  /// To complete the record of an output that is there.
  case complete(Provenance)
  /// To train from a state on.
  case train(TrainingStart)
}

/// What a training is made of, when its inputs have been read.
public struct TrainingMeans {
  /// The training from a state on.
  let loop: (TrainingState, any Ranks) throws -> TrainingLoop
  /// What the record tells of the inputs.
  let details: [String: JSONValue]

  /// - Parameters:
  ///   - details: what the record tells of the inputs.
  ///   - loop: the training from a state on.
  public init(
    details: [String: JSONValue], loop: @escaping (TrainingState, any Ranks) throws -> TrainingLoop
  ) {
    (self.details, self.loop) = (details, loop)
  }
}

/// A log of a training beside its output, cut back to where a state stands when a run goes on from it.
public protocol TrainingLog: AnyObject {
  /// Where it stands.
  var path: String { get }
  /// Goes on where a state stands.
  /// - Parameters:
  ///   - imagesSeen: of all finished iterations; lines of later ones are taken out.
  ///   - text: what `text` said when the state was saved; nil at the start.
  func resume(at imagesSeen: Int, _ text: String?) throws
  /// Takes an iteration that has ended, `seconds` after the start of all runs together.
  func add(_ iteration: IterationSummary, seconds: Double) throws
  /// Writes through what was added, and says what of it is not in the log yet.
  func text() throws -> String
}

/// A program that trains networks: what its run is, beside the frame that all of them share.
///
/// The frame starts or goes on, shares the work among ranks, measures, saves, publishes, and completes the record of what is
/// there.
public protocol StagedTraining {
  /// What figures and plots are called.
  var names: TrainingNames { get }
  /// What the frame of stages hands over.
  var context: StageContext { get }
  /// The network to publish.
  var output: String { get }
  /// Where the state is saved.
  var statePath: String { get }
  /// What is measured and saved on the way.
  var evaluation: EvaluationOptions { get }
  /// What errors call the work's main input.
  var subject: String { get }
  /// Thousands of images to train on.
  var durationKimg: Double { get }
  /// The same in images: whole batches.
  var durationImages: Int { get }
  /// The networks of a state.
  var expectedNetworks: [TrainingState.ExpectedNetwork] { get }
  /// How a batch is cut.
  var cut: MicroBatches { get }
  /// The parameters of each network.
  var specifications: [ParameterSpecification] { get }
  /// Of the output, while it is trained.
  func output(of state: TrainingState) -> Network
  /// What the output is made from.
  func provenance() throws -> Provenance
  /// What inputs have to be.
  var expected: ExpectedInputs { get }
  /// What a state must have in common with a run that goes on from it.
  func resumable(_ provenance: Provenance) -> Provenance
  /// What measures the output, if it is measured.
  func makeEvaluator() throws -> Evaluator?
  /// What the run will cost.
  var cost: TrainingCost { get }
  /// Looks at the options once more and reads the inputs; nothing is written.
  func makeMeans() throws -> TrainingMeans
  /// What the record tells of the inputs, of an output that was found finished.
  func recordDetails() throws -> [String: JSONValue]
  /// The state of a new run.
  func freshState() throws -> TrainingState
  /// Makes a state that sid-convert made of another trainer's fit for this run.
  func adopt(_ state: TrainingState, from file: HDF5File) throws -> TrainingState
  /// The log beside the output, if there is one.
  var log: (any TrainingLog)? { get }
  /// Whether a new run says what it will cost before it begins.
  var tellsCost: Bool { get }
}
