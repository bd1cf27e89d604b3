/// What the daemon has counted since it started.
package struct Counters: Sendable {
  package internal(set) var accepted = 0
  package internal(set) var refused = 0
  package internal(set) var done = 0
  package internal(set) var failed = 0
  /// Seconds of steps, by stage.
  package private(set) var seconds: [String: Double] = [:]

  mutating func add(_ used: Double, stage: String) { seconds[stage, default: 0] += used }
}
