/// Says whether the limits leave room for one more job.
struct Admission {
  let limits: DaemonOptions.Limits
  /// Jobs that wait, are held or are being run.
  var total: Int
  /// The same, by user.
  var jobs: [UInt32: Int] = [:]
  /// Bytes of users' jobs.
  var bytes: [UInt32: Int] = [:]

  init(limits: DaemonOptions.Limits, total: Int) { (self.limits, self.total) = (limits, total) }

  /// Why a submission cannot be accepted; nil where it can, and then it counts.
  mutating func refusal(_ submission: Submission) -> String? {
    var user: String { Users.name(submission.user) }
    if submission.bytes > limits.jobFileBytes {
      return "the job file is \(submission.bytes) bytes; the limit is \(limits.jobFileBytes)"
    }
    if submission.user != 0, submission.priority > limits.highestPriority {
      return
        "priority \(submission.priority) is the administrator's to give; \(user) may have \(limits.highestPriority)"
    }
    if limits.queuedJobs > 0, total >= limits.queuedJobs {
      return "the spool has \(total) jobs waiting, as many as it takes; submit it again later"
    }
    let own = jobs[submission.user, default: 0]
    if limits.jobsPerUser > 0, own >= limits.jobsPerUser {
      return "\(user) has \(own) jobs waiting, as many as a user may; submit it again later"
    }
    let held = bytes[submission.user, default: 0]
    if limits.bytesPerUser > 0, held >= limits.bytesPerUser {
      return "the jobs of \(user) hold \(held) bytes; the limit is \(limits.bytesPerUser); "
        + "sidctl prune removes finished ones"
    }
    jobs[submission.user] = own + 1
    total += 1
    return nil
  }
}
