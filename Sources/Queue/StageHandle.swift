import Foundation
import JobFolder

/// What finds a stage again that was at work when the daemon ended: `handle` of `status.json`.
///
/// It is chosen before the stage is started and is on the disk then, so that no crash leaves a stage that nothing names.
/// What runs the stages decides what it makes of it: `local` finds processes by the lock of the job's folder; one that hands
/// stages to another service names its task there so.
package struct StageHandle: Sendable, Hashable {
  /// What runs the stage.
  package let executor: String
  /// One word that no other attempt of any job has.
  package let task: String

  /// - Parameters: as the properties.
  package init(executor: String, task: String) { (self.executor, self.task) = (executor, task) }

  /// The handle of an attempt.
  package init(executor: String, _ id: JobID, step: String, started: Date) {
    self.init(
      executor: executor, task: "\(id)/\(step)/\(Int((started.timeIntervalSince1970 * 1000).rounded(.down)))")
  }

  /// Reads what `text` writes; nil where it is something else.
  package init?(_ text: String) {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 2, words.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.init(executor: String(words[0]), task: String(words[1]))
  }

  /// `local 20261122T221500Z-digits-7f3a/distill/1795384500000`.
  package var text: String { "\(executor) \(task)" }
}
