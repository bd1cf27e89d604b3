import Foundation
import JobFolder

/// What sbatch is told of a step.
struct SlurmSubmission {
  private let common: [String]
  private let own: [String]

  /// - Parameters:
  ///   - order: what is to be started.
  ///   - resources: what it asks for.
  ///   - saveSeconds: how long before the time limit the stage is told to stop.
  init(_ order: StageOrder, _ resources: SlurmResources, _ work: SlurmWork, saveSeconds: Double) {
    // Percent signs are patterns of Slurm's.
    let log = "\(order.folder)/\(JobFolderNames.log(of: order.step.name))".replacing("%", with: "%%")
    var words = [
      // It alone decides about another try.
      "--no-requeue", "--chdir=/", "--output=\(log)", "--open-mode=append", "--input=/dev/null",
      // Limits of the daemon's are none of the node's.
      "--propagate=NONE",
    ]
    if let partition = resources.partition { words.append("--partition=\(partition)") }
    if let account = resources.account { words.append("--account=\(account)") }
    if let seconds = resources.timeSeconds { words.append("--time=\(Int((seconds / 60).rounded(.up)))") }
    if let bytes = resources.memoryBytes { words.append("--mem=\(max(1, bytes >> 20))M") }
    if let cpus = resources.cpus { words.append("--cpus-per-task=\(cpus)") }
    // Of a short limit the stage has its share.
    let lead = min(saveSeconds, (resources.timeSeconds ?? .infinity) / 3)
    words.append("--signal=B:USR1@\(max(1, Int(min(65_535, lead))))")
    words += resources.arguments ?? []
    common = words + Self.nice(order.priority)
    if work.shares > 1 {
      own = ["--nodes=1", "--ntasks=1", "--array=1-\(work.shares)"]
    } else if work.isRanks {
      let nodes = resources.nodes ?? 1
      own = ["--nodes=\(nodes)", "--ntasks=\(max(nodes, resources.tasks ?? nodes))"]
    } else {
      own = ["--nodes=1", "--ntasks=1"]
    }
  }

  /// Only operators may ask for more than the others have; the order of a spool's own jobs is kept by their submission.
  private static func nice(_ priority: Int) -> [String] {
    priority < 0 || (priority > 0 && geteuid() == 0) ? ["--nice=\(-100 * priority)"] : []
  }

  /// The command for the attempt's first job.
  func arguments(_ attempt: SlurmAttempt) -> [String] {
    ["sbatch", "--parsable", "--job-name=\(attempt.jobName(isClosing: false))"] + common + own
      + ["\(attempt.path)/batch"]
  }

  /// What the job that closes an array asks for, to be kept until then.
  var closingOptions: [String] { common + ["--nodes=1", "--ntasks=1"] }

  /// The command for the job that closes an array.
  static func closing(_ attempt: SlurmAttempt) -> [String] {
    ["sbatch", "--parsable", "--job-name=\(attempt.jobName(isClosing: true))"] + (attempt.plan.closing ?? [])
      + ["\(attempt.path)/batch-close"]
  }
}
