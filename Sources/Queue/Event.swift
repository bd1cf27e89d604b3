import Diagnostics
import Foundation
import JobFolder

/// Something that has happened: what the core is told.
package enum Event: Sendable {
  // MARK: From outside

  /// The daemon has begun.
  case begun
  /// Time has passed: what is to be done now? Asked until the answer is nothing.
  case turn
  /// Something has happened in `incoming/`.
  case heard
  /// The daemon is to end.
  case stopAsked
  /// It ends now: no stage is at work any more.
  case leaving

  // MARK: Of stages

  /// A step's stage is at work. Where a limit could not be set, what it was: the stage is being ended for that.
  case started(JobID, problem: Failure?)
  /// A step could not be started: the outcome that counts for it, and why.
  case notStarted(JobID, StageOutcome, why: String)
  /// A step could not be started yet: processes of an earlier attempt are in its folder.
  case folderHeld(JobID)
  /// Processes that were told to end.
  case stoppedLeftovers(JobID, [Int32])
  /// A stage waits for its turn where it runs: at its start, or again.
  case waits(JobID)
  /// It has had its turn.
  case begins(JobID)
  /// A stage has reported.
  case progressed(JobID, StageProgress)
  /// A stage has ended, and what it said last.
  case ended(JobID, StageOutcome, lastLine: String?)

  // MARK: Answers

  /// An action could not be performed: an error of the disk or of the machine, which may pass. Those behind it were dropped.
  case failed(Purpose, Failure)
  case reached(Action.Milestone)
  case taken(Intake, of: [String]?)
  case incoming(IncomingNews)
  /// nil where its file is gone.
  case request(RequestFacts?, name: String)
  case surveyed(UserCounts, Action.SurveyPurpose)
  case listedActive([JobID])
  /// nil where it has not changed.
  case listedQueue([JobID]?)
  case read(JobID, JobState, FoundStatus, Action.Inquiry)
  /// nil for those that stand nowhere.
  case located([JobID: JobState?])
  case looked(JobID, JobLook)
  /// What is no job file or no status, and what to write in its place.
  case unreadable(JobID, Failure, JobStatus)
  case examined(JobID, FoundStatus, Occupation)
  /// nil where it cannot be seen.
  case space(freeBytes: Int?)
  case finished(JobState, [FinishedJob])
  case inUse(JobState, [JobID: Bool])
  case pruned(count: Int, Failure?)
  /// Those that stand in `failed/`, and what was not known of them.
  case refusals([JobID], new: [JobID: RefusedFile])
  /// nil where what stands there is none.
  case usage(FairShare?)
}

/// Who is at work in the folder of a job.
package enum Occupation: Sendable, Equatable {
  /// Nobody, and nobody can begin.
  case nobody
  /// Processes that are to be stopped: of a stage that cannot be taken over.
  case leftovers
  /// The stage that the status names: it goes on, and its reports and its end will be told of.
  case stage
}

/// What an attempt to accept files comes to.
package struct Intake: Sendable {
  /// What became of a file in `incoming/`.
  package enum Acceptance: Equatable, Sendable {
    case queued(JobID)
    case refused(JobID, reason: String)
  }

  /// What became of those that were taken, and the queue's entry of those that are queued.
  package var settled: [(acceptance: Acceptance, entry: QueueEntry?)] = []
  /// Files that stay in `incoming/`, each with what the system says: they are tried again.
  package var postponed: [(name: String, failure: Failure)] = []
  /// What kept files that were taken from being settled: they stand in `queue/.ID`, for the next recovery.
  package var failures: [Failure] = []

  package init() {}

  /// Whether everything was decided.
  package var isComplete: Bool { postponed.isEmpty && failures.isEmpty }
}

/// What a reading of `incoming/` comes to.
package struct IncomingNews: Sendable {
  /// The names of complete files, to accept or to answer.
  package var ready: [String] = []
  /// Names that are neither job files nor on their way, each told once.
  package var others: [String] = []
  /// What kept names from being looked at; they are looked at again.
  package var failures: [String: Failure] = [:]
  /// How many seconds until another reading may find more; nil where only a notice will tell.
  package var waitSeconds: Double?
  /// Whether another reading finds more now.
  package var hasMore = false
  /// Why the folder is not watched; nil where it is.
  package var deafness: String?

  package init() {}
}

/// What users have of the spool, as far as the core does not know it.
package struct UserCounts: Sendable {
  /// How many jobs stand in `held/`.
  package var heldTotal = 0
  /// The same, by user.
  package var held: [UInt32: Int] = [:]
  /// Bytes of users' jobs.
  package var bytes: [UInt32: Int] = [:]

  package init() {}
}

/// A job in `done/` or `failed/`.
package struct FinishedJob: Sendable, Equatable {
  package let id: JobID
  /// When it ended.
  package let finished: Date
  /// Its size; 0 where that was not asked.
  package let bytes: Int

  /// - Parameters: as the properties.
  package init(id: JobID, finished: Date, bytes: Int) { (self.id, self.finished, self.bytes) = (id, finished, bytes) }
}

/// Of a job in `failed/`: whether it never was a job but a file that was refused, and whose.
package struct RefusedFile: Sendable, Equatable {
  /// Whether its file was refused: no step was ever started, and nothing but the file and the status is there.
  package let isRefusal: Bool
  /// Whose it was; nil where that is not known, as of a folder.
  package let user: UInt32?

  /// - Parameters:
  ///   - status: what its status says.
  ///   - names: what stands in its folder.
  package init(_ status: JobStatus, names: [String]) {
    isRefusal =
      status.steps.isEmpty && status.started == nil
      && names.allSatisfy { [JobFolderNames.status, JobFolderNames.jobFile, JobFolderNames.submitted].contains($0) }
    user = status.uid
  }
}
