import Diagnostics

/// What Slurm says of a job, or of a task of an array.
package struct SlurmJob: Sendable, Equatable {
  /// The job's number, without the task's.
  package let number: Int
  /// Its state, in Slurm's words: `RUNNING`.
  package let state: String
  /// Why it waits, or ended so.
  package let reason: String
  /// What it is called.
  package let name: String

  /// States from which a job does not come back.
  package static let finalStates: Set<String> = [
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
  ]
  package var isOver: Bool { Self.finalStates.contains(state) }
  /// States in which none of its processes has begun.
  package var isPending: Bool {
    ["PENDING", "CONFIGURING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED", "SPECIAL_EXIT"].contains(
      state)
  }
}

/// What Slurm has of this user's jobs, by one question for all of them.
package struct SlurmQueue: Sendable, Equatable {
  /// By their names.
  package private(set) var jobs: [String: [SlurmJob]] = [:]

  /// The question. Jobs that ended lately are among the answers: their states are the reasons.
  package static let question = [
    "squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%j|%r",
  ]

  /// Reads the answer. Lines of another form are passed over: a job that is not found is looked for by other ways.
  package init(_ output: String) {
    for line in output.split(whereSeparator: \.isNewline) {
      // The reason may hold anything.
      let fields = line.split(separator: "|", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 4, let number = Int(fields[0].prefix { $0.isASCII && $0.isNumber }), !fields[1].isEmpty,
        fields[1].allSatisfy({ $0.isASCII && ($0.isUppercase || $0 == "_") })
      else { continue }
      jobs[fields[2], default: []].append(
        SlurmJob(number: number, state: fields[1], reason: fields[3], name: fields[2]))
    }
  }

  /// Those of a name that may be at work, or will be.
  package func active(_ name: String) -> [SlurmJob] { (jobs[name] ?? []).filter { !$0.isOver } }

  /// The last of a name that is over.
  package func ended(_ name: String) -> SlurmJob? {
    let over = (jobs[name] ?? []).filter(\.isOver)
    // Of an array the task that did not end well says most.
    return over.first { $0.state != "COMPLETED" } ?? over.max { $0.number < $1.number }
  }
}

/// What Slurm says of the end of a job that is gone from its queue.
package struct SlurmEnd: Sendable, Equatable {
  package let state: String
  package let reason: String
  package let signal: Int32

  /// Reads `scontrol show job --oneliner NUMBER`; nil where that is something else, or of a job of another name: numbers are
  /// given again where slurmctld has lost what it knew. Of an array, what ended worst.
  package init?(scontrol output: String, name: String) {
    let ends = output.split(whereSeparator: \.isNewline).compactMap { line -> SlurmEnd? in
      var fields: [Substring: Substring] = [:]
      for word in line.split(separator: " ") {
        guard let sign = word.firstIndex(of: "=") else { continue }
        let key = word[..<sign]
        if fields[key] == nil { fields[key] = word[word.index(after: sign)...] }
      }
      guard let state = fields["JobState"], fields["JobName"].map(String.init) == name else { return nil }
      return SlurmEnd(state: state, reason: fields["Reason"] ?? "", code: fields["ExitCode"] ?? "")
    }
    guard let end = ends.first(where: { $0.state != "COMPLETED" }) ?? ends.first else { return nil }
    self = end
  }

  /// Reads `sacct --parsable2 --noheader --format=State,ExitCode,JobName`; nil where that is something else.
  package init?(sacct output: String, name: String) {
    let ends = output.split(whereSeparator: \.isNewline).compactMap { line -> SlurmEnd? in
      let fields = line.split(separator: "|", omittingEmptySubsequences: false)
      // "CANCELLED by 0"
      guard fields.count == 3, fields[2] == name, let state = fields[0].split(separator: " ").first else { return nil }
      return SlurmEnd(state: state, reason: "", code: fields[1])
    }
    guard let end = ends.first(where: { $0.state != "COMPLETED" }) ?? ends.first else { return nil }
    self = end
  }

  package init(_ job: SlurmJob) { (state, reason, signal) = (job.state, job.reason, 0) }

  private init(state: Substring, reason: Substring, code: Substring) {
    let numbers = code.split(separator: ":").map { Int32($0) ?? 0 }
    (self.state, self.reason) = (String(state), String(reason))
    signal = numbers.count > 1 ? numbers[1] : 0
  }

  /// Whether it is one from which a job does not come back.
  package var isOver: Bool { SlurmJob.finalStates.contains(state) }

  /// In words.
  package func words(_ number: Int?) -> String {
    let job = number.map { "Slurm's job \($0)" } ?? "its job at Slurm"
    let why = reason.isEmpty || reason == "None" ? "" : " (\(reason.oneLine.prefix(200)))"
    return "\(job) ended as \(state)\(why)"
  }
}
