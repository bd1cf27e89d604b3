import Queue
import JobFolder
import Diagnostics
import Files
import Foundation

/// What stands in `incoming/`: jobs and requests.
extension Daemon {
  private static let intakeSubject = "intake "
  /// How many files are taken between two looks at everything else.
  private static let batch = 200

  /// Makes sure that what is known of the queue is what stands there: read anew now and then, and after trouble.
  func readQueue() {
    guard (ContinuousClock.now - queueRead) / .seconds(1) >= Self.scanSeconds * 0.9 else { return }
    do {
      // The folder's time tells whether anything came or went, unless that was a moment before the last reading.
      let changed = try folders.files.entry(folders.folder(of: .queue))?.modified
      let now = Int64(Date().timeIntervalSince1970 * 1e9)
      if changed != nil, changed == queueChanged { return queueRead = .now }
      let ids = try Set(folders.jobs(.queue))
      queue = queue.filter { ids.contains($0.key) }
      queueRead = .now
      troubles.isOver(folders.folder(of: .queue))
      queueChanged = changed.flatMap { now - $0 > 2_000_000_000 ? $0 : nil }
      for id in ids where queue[id] == nil {
        // What is left alone for now is not known yet.
        if isTroubled(id) { doubtQueue() } else { attempt(id) { try enqueue(id) } }
      }
    } catch {
      doubtQueue()
      tell(error, of: folders.folder(of: .queue))
    }
  }

  /// Takes up a job that stands in `queue/`. Where its status is missing or damaged it is put aside.
  func enqueue(_ id: JobID) throws {
    do {
      queue[id] = try folders.entry(id)
    } catch let failure as Failure where failure.status == .dataError {
      let reason = try folders.holdDamaged(id, from: .queue, failure)
      log("held: \(reason)", .error, of: id)
    }
  }

  /// Has the queue be read anew: the disk has refused something.
  func doubtQueue() {
    queueRead = .now - .seconds(3600)
    queueChanged = nil
  }

  /// Sees to it that `incoming/` is watched, and says once when it cannot be.
  func listen() {
    do {
      try incoming.listen()
      if isDeaf { log("\(folders.incoming) is watched again") }
      isDeaf = false
    } catch {
      if !isDeaf { log("\(error); it is read every \(Int(Self.scanSeconds)) s", .warning) }
      isDeaf = true
    }
  }

  /// - Returns: how many seconds until the folder should be read again.
  func acceptIncoming() -> Double {
    do {
      if mayHaveHalfAccepted, halfAcceptedDue <= .now {
        doubtQueue()
        // So that an error on the way leaves it so.
        halfAcceptedDue = .now + .seconds(Self.troubleSeconds)
        var admission = try admission()
        let intake = try folders.recoverAcceptances(isComplete: hasReadIncoming && postponed.isEmpty) {
          admission.refusal($0)
        }
        mayHaveHalfAccepted = false
        take(intake)
      }
      listen()
      postponed = postponed.filter { $0.value > .now }
      let now = (ContinuousClock.now - start) / .seconds(1)
      let reading = try incoming.read(nowSeconds: now, most: Self.batch, passingOver: Set(postponed.keys))
      report(others: reading.others)
      for (name, failure) in reading.failures.sorted(by: { $0.key < $1.key }) {
        postpone(name, failure, "cannot be looked at now, and stays there")
      }
      let requests = reading.ready.compactMap { name in JobRequest(name).map { (name, $0) } }
      for (name, request) in requests { answer(request, name) }
      try accept(reading.ready.filter { JobRequest($0) == nil })
      if isComplete { troubles.isOver(folders.incoming) }
      if reading.ready.count >= Self.batch { return 0 }
      if !hasReadIncoming, !reading.hasMore {
        hasReadIncoming = true
        if mayHaveHalfAccepted {
          halfAcceptedDue = .now
          return 0
        }
      }
      let again = reading.hasMore ? Self.floodSeconds : reading.ready.isEmpty ? .infinity : Self.againSeconds
      let trouble = isComplete ? .infinity : Self.troubleSeconds
      return min(again, trouble, reading.waitSeconds ?? .infinity)
    } catch {
      mayHaveHalfAccepted = true
      tell(error, of: folders.incoming)
      return Self.troubleSeconds
    }
  }

  /// Whether everything that came was decided.
  private var isComplete: Bool { postponed.isEmpty && !mayHaveHalfAccepted }

  private func accept(_ names: [String]) throws {
    if names.isEmpty { return }
    var admission = try admission()
    // What goes wrong from here on may leave something between the folders.
    let wasComplete = isComplete
    mayHaveHalfAccepted = true
    let intake = try folders.accept(
      names, mayFlushAll: active.values.allSatisfy { $0.stage == nil }, isComplete: wasComplete
    ) { admission.refusal($0) }
    mayHaveHalfAccepted = !wasComplete && halfAcceptedDue > .now
    for name in names { troubles.isOver("\(folders.incoming)/\(name)") }
    take(intake)
  }

  private func take(_ intake: JobFolders.Intake) {
    for (acceptance, entry) in intake.settled {
      if let entry { queue[entry.id] = entry }
      report(acceptance)
    }
    for (name, failure) in intake.postponed { postpone(name, failure, "cannot be taken now, and stays there") }
    for failure in intake.failures {
      mayHaveHalfAccepted = true
      halfAcceptedDue = .now + .seconds(Self.troubleSeconds)
      doubtQueue()
      // Each by itself: that the folder can be read says nothing of them.
      if troubles.isNew(failure, for: Self.intakeSubject + failure.subject) {
        log("\(failure); trying again in \(Int(Self.troubleSeconds)) s", .error)
      }
    }
    if !mayHaveHalfAccepted { troubles.areOver(beginningWith: Self.intakeSubject) }
    guard !intake.isComplete else { return }
    // Somebody may have removed one of them.
    do { try folders.createFolders() } catch { tell(error, of: folders.root) }
  }

  /// Leaves a file of `incoming/` alone for a while, and says so once.
  func postpone(_ name: String, _ error: any Error, _ text: String) {
    postponed[name] = .now + .seconds(Self.troubleSeconds)
    guard troubles.isNew(error, for: "\(folders.incoming)/\(name)") else { return }
    log("incoming/\(name): \(text): \(error); trying again in \(Int(Self.troubleSeconds)) s", .error)
  }

  /// Counts what users have, for the limits.
  /// - Throws: a `Failure` where it cannot be counted now.
  func admission() throws -> Admission {
    var admission = Admission(limits: options.limits, total: queue.count + active.count)
    for entry in queue.values { admission.jobs[entry.user, default: 0] += 1 }
    for active in active.values { admission.jobs[active.entry.user, default: 0] += 1 }
    if options.limits.jobsPerUser > 0 || options.limits.queuedJobs > 0 {
      for id in try folders.jobs(.held) {
        admission.total += 1
        admission.jobs[try folders.knownStatus(of: id, .held)?.uid ?? 0, default: 0] += 1
      }
    }
    if options.limits.bytesPerUser > 0 { admission.bytes = try bytesByUser() }
    return admission
  }

  /// Says of files that their names make them no jobs.
  private func report(others: [ByteName]) {
    for name in others.prefix(OtherNames.mostAtOnce) {
      log("\(folders.incoming)/\(name): left alone: \(IncomingName.rule)", .warning)
    }
    let rest = others.count - OtherNames.mostAtOnce
    if rest > 0 {
      log(
        "\(folders.incoming): \(rest) more names are left alone: \(IncomingName.rule); sidctl check lists them",
        .warning)
    }
  }

  private func report(_ acceptance: JobFolders.Acceptance) {
    switch acceptance {
    case .queued(let id):
      counters.accepted += 1
      log("accepted", of: id)
    case .refused(let id, let reason):
      counters.refused += 1
      refusals.hasNews = true
      log("refused: \(reason)", .notice, of: id)
    }
  }
}
