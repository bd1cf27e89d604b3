/// How the daemon uses Slurm: `slurm:` of `spoold.yaml`.
public struct SlurmOptions: Sendable, Equatable {
  /// What every step asks for.
  public var resources = SlurmResources()
  /// What steps of a kind ask for, before that.
  public var byStage: [String: SlurmResources] = [:]
  /// How many steps Slurm has at once, waiting or at work.
  public var jobs = 100
  /// How often Slurm is asked what has become of them all.
  public var pollSeconds = 15.0
  /// How long before the time limit a stage is told to save and stop.
  public var saveSeconds = 300.0
  /// The keys of `slurm:` that a step of a job may have.
  public var stepKeys: Set<String> = []

  /// Slurm's own defaults.
  public init() {}

  /// What a step asks for: what it says itself comes first.
  func resources(of step: JobStep) -> SlurmResources {
    (step.slurm ?? SlurmResources()).filled(from: byStage[step.stage.stage] ?? SlurmResources()).filled(from: resources)
  }
}
