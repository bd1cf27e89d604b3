import Diagnostics

/// Why sbatch did not take a job: it says so in words alone.
enum SlurmRefusal {
  /// What passes, and has nothing to do with the job.
  private static let passing = [
    "unable to contact", "connection refused", "connect failure", "socket timed out", "timed out", "communication",
    "temporarily", "zero bytes", "authentication", "munge", "standby", "try again", "maxjobcount", "in transition",
    "slurmctld", "controller",
  ]
  /// What a job asks for and does not get, now or later.
  private static let lasting = [
    "invalid", "unrecognized", "unknown option", "not available", "not permitted", "permission denied", "violates",
    "cannot be satisfied", "can not be satisfied", "more processors requested", "more nodes requested", "exceeds",
    "does not exist", "not allowed", "no partition",
  ]

  /// What to make of an answer that is no success.
  /// - Returns: a `StageRefusal` for what concerns every job, a `Failure` for what concerns this one: with status
  ///   `configuration` where it would be the same later.
  static func error(_ answer: SlurmAnswer) -> any Error {
    let words =
      answer.complaint.isEmpty ? "ended with status \(answer.status.map(String.init) ?? "?")" : answer.complaint
    let text = words.lowercased()
    func passes(_ remedy: String?) -> StageRefusal {
      StageRefusal(Failure(.temporaryFailure, "sbatch", words, remedy: remedy))
    }
    guard answer.status != nil else { return passes("look whether slurmctld answers: scontrol ping") }
    // QOSMaxSubmitJobPerUserLimit, AssocMaxSubmitJobLimit, AssocGrpSubmitJobsLimit ...
    let tooMany = text.split { !($0.isLetter || $0.isNumber) }.contains {
      $0.contains("submit") && $0.hasSuffix("limit") && $0.count > 11
    }
    if tooMany { return passes("the queue takes no more of this user's jobs; lower slurm: jobs in spoold.yaml") }
    if lasting.contains(where: text.contains) {
      return Failure(
        .configuration, "sbatch", words, remedy: "put right what slurm: of spoold.yaml, or of the step, asks for")
    }
    if passing.contains(where: text.contains) { return passes(nil) }
    return Failure(.temporaryFailure, "sbatch", words)
  }
}
