import JobFolder

/// What an administrator has laid down for a queue, and what of the machine its decisions depend on. It does not change.
package struct QueueRules: Sendable {
  /// The spool's root, for messages.
  package var root: String
  /// How many steps run at once.
  package var slots = StageSlots()
  /// When a step is tried again and when it is given up.
  package var retry = RetryPolicy()
  /// What users may take.
  package var limits = QueueLimits()
  /// How long finished jobs are kept, by the state they ended in.
  package var retention: [JobState: Retention] = [:]
  /// How long every step may run in all its attempts, whatever its job says; nil for no limit.
  package var stepTimeoutSeconds: Double?
  /// How long a stage has to reach its checkpoint when it is told to stop.
  package var stopTimeoutSeconds = 90.0
  /// Whether a step stops, at its checkpoint, where a job of higher priority lacks its slot.
  package var preempts = false
  /// Names this boot of the machine; a step that was at work in another one may have taken the machine down.
  package var bootID: String
  /// The user for whom the daemon runs: whose requests count as an administrator's.
  package var user: UInt32 = 0
  /// What runs the stages.
  package var executors = ExecutorRules()

  /// - Parameters:
  ///   - root: the spool's root.
  ///   - bootID: names this boot of the machine.
  package init(root: String, bootID: String) { (self.root, self.bootID) = (root, bootID) }

  /// Whether the limits ask what stands in `held/`.
  package var limitsJobs: Bool { limits.jobsPerUser > 0 || limits.queuedJobs > 0 }
}
