import YAML

/// What of a job is an administrator's to allow.
extension JobFile {
  /// Checks that steps ask of Slurm only what they may.
  /// - Parameter keys: the keys of `slurm:` that a step may have.
  /// - Throws: `YAMLError` with the line and the key of the first that may not.
  package func checkPlacement(allowing keys: Set<String>) throws {
    for step in steps {
      let refused = step.slurmLines.filter { !keys.contains($0.key) }.min { ($0.value, $0.key) < ($1.value, $1.key) }
      if let (key, line) = refused {
        throw YAMLError(
          line: line, key: key, "no key of \"slurm\" that a step may have here",
          remedy: keys.isEmpty
            ? "remove it; step-keys of spoold.yaml says what a step may ask for"
            : "a step may have \(keys.sorted().joined(separator: ", ")), as step-keys of spoold.yaml says")
      }
    }
  }
}
