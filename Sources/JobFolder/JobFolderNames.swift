/// The names of what stands in a job's folder besides what its steps make.
package enum JobFolderNames {
  /// The job file as it was accepted.
  package static let jobFile = "job.yaml"
  /// What is known of the job (`JobStatus`).
  package static let status = "status.json"
  /// What stood in the place of a status and was none.
  package static let damagedStatus = "status.json.damaged"
  /// What a finished job comes to (`Summary`).
  package static let summary = "summary.json"
  /// The folder of the steps' logs (`StepLog`).
  package static let log = "log"
  /// What was submitted, until it was accepted, and where it was refused.
  package static let submitted = "submitted"
  /// The digests of all outputs (`Checksums`).
  package static let checksums = "SHA256SUMS"
  /// The file whose lock the processes of a step at work hold.
  package static let lock = ".lock"

  /// The record of the step of a name, which appears last of all it makes.
  package static func record(of step: String) -> String { step + ".json" }

  /// The log of the step of a name.
  package static func log(of step: String) -> String { "\(log)/\(step).log" }
}
