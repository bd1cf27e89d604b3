import Diagnostics
import Files
import Foundation

/// The files of the shares of a score, hidden beside its output: `.NAME.share-2-of-5.h5` (`sid-statistics-part`) for each that
/// is made, and beside it what a pass that was interrupted has saved, and the lock of one that is at work.
package struct ShareFiles: Sendable {
  /// The path of the score's own file.
  private let output: String

  /// - Parameter output: the path of the score's own file.
  package init(beside output: String) { self.output = output }

  private var folder: String { AtomicFile.folder(of: output) }
  private var prefix: String { ".\(((output as NSString).lastPathComponent as NSString).deletingPathExtension).share-" }
  private func name(_ share: WorkShare) -> String { "\(prefix)\(share.index)-of-\(share.count)" }

  /// The beginning of the names of all files of a share, for `FeaturePass.run`.
  package func scratch(_ share: WorkShare) -> String { "\(folder)/\(name(share))" }

  /// Where a share is published.
  package func path(_ share: WorkShare) -> String { scratch(share) + ".h5" }

  /// What keeps two processes from making one share.
  /// - Returns: nil where another process has it.
  package func lock(_ share: WorkShare) throws -> LockFile? { try LockFile(scratch(share) + ".lock") }

  /// The shares that have files, of whatever number, in order.
  package func found() throws -> [WorkShare] {
    let found = try ByteName.names(inFolder: folder).compactMap { name -> WorkShare? in
      guard let entry = name.text, entry.hasPrefix(prefix) else { return nil }
      let numbers = entry.dropFirst(prefix.count).prefix { $0 != "." }
      guard let share = WorkShare(String(numbers).replacing("-of-", with: "/")),
        entry.hasPrefix(self.name(share) + "."),
        Self.suffixes.contains(String(entry.dropFirst(self.name(share).count)))
      else { return nil }
      return share
    }
    return Set(found).sorted { ($0.count, $0.index) < ($1.count, $1.index) }
  }

  private static let suffixes =
    [".h5", AtomicFile.partial(of: ".h5"), ".lock"] + FeaturePass.scratchSuffixes

  /// Removes a share, with what an interrupted pass has saved of it. To be called by whoever has its lock.
  /// - Throws: a `Failure` naming what cannot be removed.
  package func remove(_ share: WorkShare) throws {
    try FeaturePass.removeScratch(scratch(share))
    for path in [path(share), AtomicFile.partial(of: path(share))] { try AtomicFile.remove(path) }
  }

  /// Removes every share, of whatever number, once the score is published; not what another process is making.
  /// - Throws: a `Failure` naming what cannot be removed.
  package func removeAll() throws {
    for share in try found() {
      guard let lock = try lock(share) else { continue }
      try withExtendedLifetime(lock) { try remove(share) }
    }
  }
}
