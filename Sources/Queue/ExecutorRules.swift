/// How the queue deals with what runs stages.
package struct ExecutorRule: Sendable, Equatable {
  /// The first word of its handles (`StageHandle`).
  package let name: String
  /// How many steps it has at once, waiting there or at work; nil where they take the slots of this machine.
  package var jobs: Int?
  /// Whether its stages go on where the daemon ends, and are found again by their handles.
  package var outlivesDaemon: Bool

  /// - Parameters: as the properties.
  package init(_ name: String, jobs: Int? = nil, outlivesDaemon: Bool = false) {
    (self.name, self.jobs, self.outlivesDaemon) = (name, jobs, outlivesDaemon)
  }

  /// Child processes of the daemon.
  package static let local = ExecutorRule("local")
}

/// Which kinds of steps run where. Decided when an attempt is counted; what is at work stays where it is.
package struct ExecutorRules: Sendable, Equatable {
  /// Where steps run whose kind is not listed, and the daemon's own.
  package var standard = ExecutorRule.local
  /// Kinds of steps that take no slot: the daemon's own, of jobs whose other steps do not run here, shall not wait for a long
  /// one that does.
  package var slotless: Set<String> = []
  /// Others, by their names.
  package private(set) var others: [String: ExecutorRule] = [:]
  /// By the kind of step.
  package private(set) var byStage: [String: String] = [:]

  /// Everything as child processes.
  package init() {}

  /// Has steps of some kinds run somewhere.
  package mutating func run(_ stages: some Sequence<String>, on rule: ExecutorRule) {
    others[rule.name] = rule
    for stage in stages { byStage[stage] = rule.name }
  }

  /// Where steps of a kind run.
  package func rule(stage: String?) -> ExecutorRule {
    stage.flatMap { byStage[$0] }.flatMap { others[$0] } ?? standard
  }

  /// What is known of the executor of this name. One that is not configured any more may have stages at work yet: they take
  /// no slots of this machine, and ending the daemon does not end them.
  package func rule(named name: String) -> ExecutorRule {
    if name == standard.name { return standard }
    return others[name]
      ?? (name == ExecutorRule.local.name ? .local : ExecutorRule(name, jobs: .max, outlivesDaemon: true))
  }
}
