/// Says whether the limits leave room for one more job.
package struct Admission: Sendable, Equatable {
  package let limits: QueueLimits
  /// Jobs that wait, are held or are being run.
  package var total: Int
  /// The same, by user.
  package var jobs: [UInt32: Int] = [:]
  /// Bytes of users' jobs.
  package var bytes: [UInt32: Int] = [:]

  package init(limits: QueueLimits, total: Int) { (self.limits, self.total) = (limits, total) }

  /// Why a submission cannot be accepted; nil where it can, and then it counts.
  package mutating func refusal(_ submission: Submission) -> String? {
    let user = submission.userName
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
