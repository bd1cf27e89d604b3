/// What a step asks of Slurm; nil for what is left to others, in the end to Slurm's own defaults.
public struct SlurmResources: Sendable, Equatable {
  /// The partition; several with commas.
  public var partition: String?
  /// Whom the time is charged to.
  public var account: String?
  /// The time limit of one submission, in seconds; Slurm counts whole minutes.
  public var timeSeconds: Double?
  /// Machines, for ranks.
  public var nodes: Int?
  /// Ranks, of a step that trains: MPI processes.
  public var tasks: Int?
  /// Processors of each process.
  public var cpus: Int?
  /// Memory on each machine, in bytes.
  public var memoryBytes: Int?
  /// Into how many parts the work is cut, each a task of a job array.
  public var shares: Int?
  /// Further options of sbatch.
  public var arguments: [String]?

  /// Nothing.
  public init() {}

  /// These, and where they say nothing what others say.
  func filled(from other: SlurmResources) -> SlurmResources {
    var result = self
    result.partition = partition ?? other.partition
    result.account = account ?? other.account
    result.timeSeconds = timeSeconds ?? other.timeSeconds
    result.nodes = nodes ?? other.nodes
    result.tasks = tasks ?? other.tasks
    result.cpus = cpus ?? other.cpus
    result.memoryBytes = memoryBytes ?? other.memoryBytes
    result.shares = shares ?? other.shares
    result.arguments = arguments ?? other.arguments
    return result
  }
}
