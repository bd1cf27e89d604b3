import Diagnostics
import Foundation
import JobFolder

/// What is known of `incoming/`.
struct IntakeState: Sendable {
  /// Whether a crash or a disk may have left something between `incoming/` and `queue/`.
  var mayHaveHalfAccepted = true
  /// When that is looked at.
  var halfAcceptedDue = 0.0
  /// Whether `incoming/` was read to its end: until then a job that is waited for and not known may stand there.
  var hasReadIncoming = false
  /// Names that could not be taken or answered, and when that is tried again.
  var postponed: [String: Double] = [:]
  /// Whether it was said that the folder cannot be watched.
  var isDeaf = false
  /// Whether the disk has refused something in this round.
  var isRefused = false
  /// What held before what is being taken now: whether everything was decided, and whether something may have been left.
  var before = (isComplete: false, mayHaveHalfAccepted: false)
  /// What this round's reading came to.
  var news: IncomingNews?

  /// Whether everything that came was decided.
  var isComplete: Bool { postponed.isEmpty && !mayHaveHalfAccepted }
}

/// What stands in `incoming/`: jobs and requests.
extension JobQueue {
  private static let intakeSubject = "intake "
  /// How many files are taken between two looks at everything else.
  static let batch = 200
  /// How many names are told at once that are no job files; a flood of names is no reason for a flood of lines.
  private static let mostNamesTold = 10

  /// Looks for what a crash left between `incoming/` and `queue/`, where there may be something.
  mutating func recoverAcceptances(_ now: Moment) -> [Action] {
    (intake.isRefused, intake.news) = (false, nil)
    guard intake.mayHaveHalfAccepted, intake.halfAcceptedDue <= now.seconds else { return [] }
    doubtQueue()
    // So that an error on the way leaves it so.
    intake.halfAcceptedDue = now.seconds + Self.troubleSeconds
    return survey(.halfAccepted, .halfAccepted, now)
  }

  /// Reads what was dropped.
  mutating func readIncoming(_ now: Moment) -> [Action] {
    if intake.isRefused { return [] }
    intake.postponed = intake.postponed.filter { $0.value > now.seconds }
    return [Action(.incoming, .readIncoming(most: Self.batch, passingOver: Set(intake.postponed.keys)))]
  }

  mutating func incoming(_ news: IncomingNews, _ now: Moment) -> [Action] {
    intake.news = news
    var actions = heard(of: news)
    for (name, failure) in news.failures.sorted(by: { $0.key < $1.key }) {
      actions += postpone(name, failure, "cannot be looked at now, and stays there", now)
    }
    return actions + news.ready.filter { JobRequest($0) != nil }.map { Action(.request($0), .readRequest($0)) }
  }

  /// Takes the files that were read.
  mutating func takeFiles(_ now: Moment) -> [Action] {
    guard !intake.isRefused, let news = intake.news else { return [] }
    let files = news.ready.filter { JobRequest($0) == nil }
    return files.isEmpty ? [] : survey(.files(files), .incoming, now)
  }

  /// Says what there is to say of the folder itself.
  private mutating func heard(of news: IncomingNews) -> [Action] {
    var actions: [Action] = []
    if let deafness = news.deafness {
      if !intake.isDeaf { actions.append(log("\(deafness); it is read every \(Int(Self.scanSeconds)) s", .warning)) }
    } else if intake.isDeaf {
      actions.append(log("\(incomingFolder) is watched again"))
    }
    intake.isDeaf = news.deafness != nil
    for name in news.others.prefix(Self.mostNamesTold) {
      actions.append(log("\(incomingFolder)/\(name): left alone: \(IncomingName.rule)", .warning))
    }
    let rest = news.others.count - Self.mostNamesTold
    if rest > 0 {
      actions.append(
        log(
          "\(incomingFolder): \(rest) more names are left alone: \(IncomingName.rule); sidctl check lists them",
          .warning))
    }
    return actions
  }

  /// Decides how soon the folder is read again.
  mutating func endIntake(_ now: Moment) {
    guard let news = intake.news, !intake.isRefused else { return }
    if intake.isComplete { troubles.isOver(incomingFolder) }
    if news.ready.count >= Self.batch { return round.wait(0) }
    if !intake.hasReadIncoming, !news.hasMore {
      intake.hasReadIncoming = true
      if intake.mayHaveHalfAccepted {
        intake.halfAcceptedDue = now.seconds
        return round.wait(0)
      }
    }
    round.wait(news.hasMore ? Self.floodSeconds : news.ready.isEmpty ? .infinity : Self.againSeconds)
    round.wait(intake.isComplete ? .infinity : Self.troubleSeconds)
    round.wait(news.waitSeconds ?? .infinity)
  }

  // MARK: Limits

  /// Has counted what the limits ask for, and goes on with what it is counted for.
  mutating func survey(_ purpose: Action.SurveyPurpose, _ reason: Purpose, _ now: Moment) -> [Action] {
    let (jobs, bytes) = (rules.limitsJobs, rules.limits.bytesPerUser > 0)
    guard jobs || bytes else { return surveyed(UserCounts(), purpose, now) }
    return [Action(reason, .survey(jobs: jobs, bytes: bytes, purpose))]
  }

  mutating func surveyed(_ counts: UserCounts, _ purpose: Action.SurveyPurpose, _ now: Moment) -> [Action] {
    switch purpose {
    case .halfAccepted:
      let isComplete = intake.hasReadIncoming && intake.postponed.isEmpty
      return [Action(.halfAccepted, .recoverAcceptances(admission(counts), isComplete: isComplete))]
    case .files(let names):
      // What goes wrong from here on may leave something between the folders.
      intake.before = (intake.isComplete, intake.mayHaveHalfAccepted)
      intake.mayHaveHalfAccepted = true
      return [
        Action(
          .incoming,
          .accept(names, admission(counts), mayFlushAll: isAtRest, isComplete: intake.before.isComplete))
      ]
    case .request(let facts): return admit(facts, counts, now)
    }
  }

  /// What users have, for the limits.
  func admission(_ counts: UserCounts) -> Admission {
    var admission = Admission(limits: rules.limits, total: waiting.count + atWork.count + counts.heldTotal)
    admission.jobs = counts.held
    for entry in waiting.values { admission.jobs[entry.user, default: 0] += 1 }
    for job in atWork.values { admission.jobs[job.entry.user, default: 0] += 1 }
    admission.bytes = counts.bytes
    return admission
  }

  // MARK: What became of it

  /// - Parameter names: the files that were to be taken; nil for what was taken before.
  mutating func taken(_ taken: Intake, of names: [String]?, _ now: Moment) -> [Action] {
    if let names {
      intake.mayHaveHalfAccepted = intake.before.mayHaveHalfAccepted
      for name in names { troubles.isOver("\(incomingFolder)/\(name)") }
    } else {
      intake.mayHaveHalfAccepted = false
    }
    var actions: [Action] = []
    for (acceptance, entry) in taken.settled {
      if let entry {
        waiting[entry.id] = entry
        places[entry.id] = nil
      }
      switch acceptance {
      case .queued(let id):
        counters.accepted += 1
        actions.append(log("accepted", of: id))
      case .refused(let id, let reason):
        counters.refused += 1
        house.refusals.hasNews = true
        actions.append(log("refused: \(reason)", .notice, of: id))
      }
    }
    for (name, failure) in taken.postponed {
      actions += postpone(name, failure, "cannot be taken now, and stays there", now)
    }
    for failure in taken.failures {
      intake.mayHaveHalfAccepted = true
      intake.halfAcceptedDue = now.seconds + Self.troubleSeconds
      doubtQueue()
      // Each by itself: that the folder can be read says nothing of them.
      if troubles.isNew(failure, for: Self.intakeSubject + failure.subject) {
        actions.append(log("\(failure); trying again in \(Int(Self.troubleSeconds)) s", .error))
      }
    }
    if !intake.mayHaveHalfAccepted { troubles.areOver(beginningWith: Self.intakeSubject) }
    // Somebody may have removed one of them.
    if taken.isComplete { return actions }
    return actions + [Action(.folders, .createFolders), Action(.folders, .reached(.foldersMade))]
  }

  /// Leaves a file of `incoming/` alone for a while, and says so once.
  mutating func postpone(_ name: String, _ failure: Failure, _ text: String, _ now: Moment) -> [Action] {
    intake.postponed[name] = now.seconds + Self.troubleSeconds
    guard troubles.isNew(failure, for: "\(incomingFolder)/\(name)") else { return [] }
    return [
      log("incoming/\(name): \(text): \(failure); trying again in \(Int(Self.troubleSeconds)) s", .error)
    ]
  }
}
