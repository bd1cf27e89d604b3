import Diagnostics
import JobFolder
import Queue

/// Where stages run: what the daemon asks of it, whatever it is.
///
/// The daemon and its stages need not share a life. An attempt is counted, with the handle that finds its stage again, before
/// `start` is called; where the daemon is gone after that, `attach` says whether the stage is still there. `local` runs
/// child processes, which end with the daemon and are only ever stopped by the next one. One that hands stages to another
/// service takes them over instead.
///
/// The daemon has all executors all the time, those too that no rule names: a handle of earlier may. `stop` and `leave` reach
/// every one of them, for jobs of others as well.
///
/// All calls come from one thread, which lives as long as the daemon.
package protocol Executor: AnyObject {
  /// The first word of its handles.
  var name: String { get }

  /// Starts a stage, and heads the attempt in the step's log.
  ///
  /// No other process may be at work in the job's folder from then on until its end was told; where one is there still, that is the answer.
  /// - Throws: a `Failure` where the stage cannot be started: `temporaryFailure` and `ioError` where it may be later. A
  ///   `StageRefusal` where no stage can be started at present, whichever.
  func start(_ order: StageOrder) throws -> StageStart

  /// What has happened to the stages since the last call. One question for all of them, however many there are.
  /// - Throws: a `Failure` where that cannot be seen now: nothing has happened then, as far as is known.
  func news() throws -> [(job: JobID, news: StageNews)]

  /// Tells a job's stage to stop at its checkpoint, or ends it at once. Its end is told by `news`. Nothing where the job is not
  /// this executor's.
  func stop(_ id: JobID, isHard: Bool)

  /// Finds out who is at work in the folder of a job that an earlier daemon left.
  /// - Parameter handle: what the job's status says; nil where it says nothing, as of a version before handles: every executor is
  ///   asked then, and one that is not in use says `nobody` without asking anybody.
  /// - Returns: `stage` where the stage was found and taken over: `news` tells of it from now on, and of its end even if that was before.
  /// - Throws: a `Failure` where that cannot be seen now.
  func attach(_ id: JobID, folder: String, handle: StageHandle?) throws -> Occupation

  /// Tells processes to end that an earlier attempt left in a job's folder.
  /// - Returns: the processes.
  func stopLeftovers(_ id: JobID, folder: String, isHard: Bool) throws -> [Int32]

  /// How the last attempt in a job's folder ended is on the disk, and the job goes on or elsewhere: what is kept of it there for
  /// the next daemon goes.
  func leave(_ id: JobID, folder: String)

  /// Become readable when there may be news.
  var descriptors: [Int32] { get }

  /// How many seconds after the last look there may be news that no descriptor tells; nil where there are none such.
  var pollSeconds: Double? { get }
}

extension Executor {
  /// Nothing is kept.
  package func leave(_ id: JobID, folder: String) {}
}

/// A stage to be started.
package struct StageOrder {
  /// The job.
  package let id: JobID
  /// The step.
  package let step: JobStep
  /// What finds it again.
  package let handle: StageHandle
  /// Which attempt it is, for its log.
  package let heading: StepLogHeading
  /// The path of its program.
  package let program: String
  /// The program's arguments; to be asked when nobody is at work in the folder. It is told how many threads the stage gets
  /// where its job does not say, nil for the stage's own default; throws a `Failure` where an input is missing. Progress is
  /// reported to `StageProcess.progressDescriptor`.
  package let arguments: (_ threads: Int?) throws -> [String]
  /// The job's folder, where it runs.
  package let folder: String
  /// How much it may use.
  package let limits: StepLimits
  /// What goes first: higher before lower.
  package let priority: Int

  /// - Parameters: as the properties.
  package init(
    id: JobID, step: JobStep, handle: StageHandle, heading: StepLogHeading, program: String,
    arguments: @escaping (_ threads: Int?) throws -> [String], folder: String, limits: StepLimits, priority: Int
  ) {
    (self.id, self.step, self.handle, self.heading, self.program) = (id, step, handle, heading, program)
    (self.arguments, self.folder, self.limits, self.priority) = (arguments, folder, limits, priority)
  }
}

/// Why no stage can be started at present: nothing was tried, and the attempt does not count.
package struct StageRefusal: Error {
  /// Why, and what to do about it.
  package let failure: Failure

  /// - Parameter failure: why, and what to do about it.
  package init(_ failure: Failure) { self.failure = failure }
}

/// What a start comes to.
package enum StageStart: Sendable {
  /// The stage is at work; what of its limits could not be set, after which it is being ended.
  case started(problem: Failure?)
  /// Processes of an earlier attempt are at work in the job's folder.
  case folderHeld
}

/// What has happened to a stage.
package enum StageNews: Sendable {
  /// It waits for its turn where it runs.
  case waits
  /// It has had its turn.
  case begins
  /// How far it is.
  case progress(StageProgress)
  /// It has ended, and what it said last.
  case ended(StageOutcome, lastLine: String?)
}
