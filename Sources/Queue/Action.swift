import JobFolder

/// Something that the core wants done.
///
/// **Order.** The actions of a list are performed one after the other, each to its end, and what follows from one (the
/// event it answers with, and the actions that the core answers that with) before the next. Where one cannot be performed
/// the core is told (`Event.failed`), and those behind it in the list that have the same purpose are dropped, so that
/// nothing is moved whose status was not written and nothing is started whose attempt was not counted.
///
/// **Crashes.** Each durable action (marked so) is on the disk when the next one begins. A crash between two of them leaves
/// the job where the last move put it, with what was written of it last; what that means is told where the core makes the
/// list, and `Event.examined` and `Event.taken` find it at the next start. The rules that all lists keep:
///
/// - A status is written before the move that it is for. Until the move the job stands in its old folder and says its new
///   state: a request is carried out again, and what stands in `active/` is moved to where it says (`recover`).
/// - An attempt is counted, and its handle written, before the stage is started.
/// - What a request asks is done, with its mark in the status, before the request's file is removed.
package struct Action: Sendable, Equatable {
  /// What it is for.
  package let purpose: Purpose
  /// What is to be done.
  package let operation: Operation

  package init(_ purpose: Purpose, _ operation: Operation) { (self.purpose, self.operation) = (purpose, operation) }

  /// What can be done.
  package enum Operation: Sendable, Equatable {
    // MARK: Folders

    /// Durable. Replaces `status.json` of a job that stands in a state's folder.
    case write(JobStatus, JobID, JobState)
    /// Durable. Renames a job's folder from one state's to another's, and flushes both.
    case move(JobID, from: JobState, to: JobState)
    /// Durable with the write behind it. Keeps what stands in the place of a job's status and is none beside it.
    case setDamagedStatusAside(JobID, JobState)
    /// Durable. Removes of a job of the queue what its retry is to make again; a crash within it leaves the rest to the next
    /// time, and at no time a record of what is not there.
    case discardOutputs(JobID)
    /// Durable. Merges the figures of a job in `active/` whose steps are all done.
    case publishSummary(JobStatus, JobID)
    /// Replaces `status.json` of a job at work: for people to read, and how far and how long it has run for the next daemon.
    /// Not answered, not even where it cannot be done.
    case showProgress(JobStatus, JobID)
    /// Durable. Removes a finished job. A crash within it leaves a hidden folder, which the next start removes.
    case prune(JobID, JobState)
    /// Durable. Removes at most so many finished jobs, none of which a file is open of, with one flush for all of them. Answered by
    /// `Event.pruned`.
    case pruneUnused([JobID], JobState, most: Int)
    /// Creates those of the spool's folders that are missing.
    case createFolders
    /// Durable. Removes a request's file.
    case removeRequest(String)
    /// Durable. Keeps what users have used.
    case writeUsage(FairShare)

    // MARK: Acceptance

    /// Durable. Takes files out of `incoming/`: each becomes a job in `queue/` or a record in `failed/`. Whether there is room
    /// for one the counts say. A crash within it leaves a file in `incoming/` or a folder `queue/.ID`. Answered by `Event.taken`.
    /// - `mayFlushAll`: whether the whole disk may be flushed at once.
    /// - `isComplete`: whether nothing that came before is undecided, so that a job that is not known does not exist.
    case accept([String], Admission, mayFlushAll: Bool, isComplete: Bool)
    /// Durable. Finishes what a crash or the disk has cut short of it. Answered by `Event.taken`.
    case recoverAcceptances(Admission, isComplete: Bool)

    // MARK: Looking

    /// Reads `incoming/`; at most so many names, some left alone. Answered by `Event.incoming`.
    case readIncoming(most: Int, passingOver: Set<String>)
    /// Reads a request and what it is about. Answered by `Event.request`.
    case readRequest(String)
    /// Counts what users have, for the limits. Answered by `Event.surveyed`.
    case survey(jobs: Bool, bytes: Bool, SurveyPurpose)
    /// Lists `active/`. Answered by `Event.listedActive`.
    case listActive
    /// Lists `queue/`, where it has changed or whether it has or not. Answered by `Event.listedQueue`.
    case listQueue(isForced: Bool)
    /// Reads the status of a job. Answered by `Event.read`.
    case read(JobID, JobState, Inquiry)
    /// Looks where jobs stand that others wait for. Answered by `Event.located`.
    case locate([JobID])
    /// Looks what stands in the folder of a job in `active/`, and whether a step of it is done. Answered by `Event.looked`, or
    /// `Event.unreadable` where its job file or its status is none.
    case look(JobID, after: String?)
    /// Finds out whether anybody is at work in the folder of a job in `active/`. Answered by `Event.examined`.
    case examine(JobID)
    /// Looks how much space is free. Answered by `Event.space`.
    case measureSpace
    /// Reads when the jobs of a state were finished, and their sizes where asked. Answered by `Event.finished`.
    case surveyFinished(JobState, sizes: Bool)
    /// Looks whether somebody has files of jobs open. Answered by `Event.inUse`.
    case checkUse([JobID], JobState)
    /// Looks which jobs in `failed/` are refused files; of some it is known. Answered by `Event.refusals`.
    case surveyRefusals(known: [JobID: RefusedFile])
    /// Reads what users have used. Answered by `Event.usage`.
    case readUsage

    // MARK: Stages

    /// Starts a step whose attempt is counted. Answered by `Event.started`, `Event.folderHeld` or `Event.notStarted`.
    case start(JobID, step: String, JobStatus, user: UInt32)
    /// Tells a stage to stop at its checkpoint, or ends it. Answered by nothing: its end is an event of its own.
    case stop(JobID, isHard: Bool)
    /// Tells processes that an earlier attempt left in a job's folder to end. Answered by `Event.stoppedLeftovers`.
    case stopLeftovers(JobID, isHard: Bool)

    // MARK: Telling

    /// Nothing but an answer, `Event.reached`: all before it for the same purpose is done.
    case reached(Milestone)
    /// Tells people.
    case log(LogRecord)
    /// Shows how far a step is.
    case showBar(step: String, JobStatus)
    /// Leaves the bar of a step that has ended.
    case finishBar(step: String, JobStatus)
  }

  /// Why a status is read.
  package enum Inquiry: Sendable, Equatable {
    /// The job waits in the queue.
    case entry
    /// The job waits for something that will never come about.
    case impossible(reason: String)
  }

  /// What users' jobs are counted for.
  package indirect enum SurveyPurpose: Sendable, Equatable {
    case halfAccepted
    case files([String])
    case request(RequestFacts)
  }

  /// What has been reached when a list was performed.
  package enum Milestone: Sendable, Equatable {
    /// The job stands in `active/`.
    case activated(JobID)
    /// The job that was at work stands in this state's folder, with this status.
    case left(JobID, JobState, JobStatus)
    /// A job that another daemon left stands where it belongs.
    case recovered(JobID, JobState)
    /// A job that waited is put aside.
    case setAside(JobID)
    /// What a request asks is done.
    case answered(name: String, JobRequest, JobState)
    /// A request's file is removed.
    case requestRemoved(name: String)
    /// What users have used is on the disk.
    case usageKept(FairShare)
    /// The spool's folders are there.
    case foldersMade
  }
}
