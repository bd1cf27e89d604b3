/// The state of a job: the folder of the spool it stands in.
public enum JobState: String, Sendable, CaseIterable, Codable {
  /// Accepted, waiting for a slot or for its next attempt.
  case queue
  /// Being run.
  case active
  /// Finished; the archive is there.
  case done
  /// Given up, with the reason in `status.json`.
  case failed
  /// Put aside: by a user, or by the daemon, where its status is damaged or what it waits for has failed.
  case held

  /// Whether nothing more happens to the job by itself.
  public var isFinal: Bool { self == .done || self == .failed }
}
