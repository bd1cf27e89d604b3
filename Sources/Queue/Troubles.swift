import Diagnostics
import Foundation

/// What the disk or the machine refuses at present: told once, not as often as it is tried.
package struct Troubles {
  private var told: [String: String] = [:]

  package init() {}

  /// Takes note of an error.
  /// - Parameter subject: what it was tried for.
  /// - Returns: whether it is another one than the last for this subject.
  package mutating func isNew(_ error: any Error, for subject: String) -> Bool {
    // The paths in it may have another number each time; the system's words stand at the end.
    let text = (error as? Failure).map(\.problem) ?? "\(error)"
    let reason = text.range(of: ": ", options: .backwards).map { String(text[$0.upperBound...]) } ?? text
    defer { told[subject] = reason }
    return told[subject] != reason
  }

  /// Forgets a subject that nothing is refused for any more.
  package mutating func isOver(_ subject: String) { told[subject] = nil }

  /// Forgets all subjects of a kind, for none of which anything is refused any more.
  package mutating func areOver(beginningWith kind: String) { told = told.filter { !$0.key.hasPrefix(kind) } }
}
