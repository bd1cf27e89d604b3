/// Decides which files of `incoming/` are complete.
///
/// A file that was closed after writing, or moved in, is complete at once. One that a scan finds without having been
/// told of it is complete when neither its size nor its time has changed for `settleSeconds`.
package struct IncomingFiles {
  package static let settleSeconds = 2.0

  private struct Sighting {
    var entry: FileEntry
    var sinceSeconds: Double
  }

  private var sightings: [String: Sighting] = [:]

  package init() {}

  /// Whether a name is a file on its way that will get another name.
  package static func isIgnored(_ name: String) -> Bool {
    name.hasPrefix(".") || ["~", ".partial", ".tmp"].contains { name.hasSuffix($0) }
  }

  /// The files in turns between their owners, each owner's by name, so that nobody waits behind a flood of another's.
  private static func inTurns(_ entries: [String: FileEntry]) -> [(name: String, entry: FileEntry)] {
    let byName = entries.sorted { $0.key < $1.key }
    var order: [UInt32] = []
    var files: [UInt32: [(name: String, entry: FileEntry)]] = [:]
    for (name, entry) in byName {
      if files[entry.owner] == nil { order.append(entry.owner) }
      files[entry.owner, default: []].append((name, entry))
    }
    if order.count < 2 { return files.values.first ?? [] }
    let lists = order.compactMap { files[$0] }
    return (0..<(lists.map(\.count).max() ?? 0)).flatMap { turn in
      lists.compactMap { turn < $0.count ? $0[turn] : nil }
    }
  }

  /// One reading of the folder.
  /// - Parameters:
  ///   - entries: what stands there.
  ///   - completed: the names that are known to be complete.
  ///   - nowSeconds: a clock that never goes back.
  ///   - most: how many names to hand out at once; the rest is ready at the next reading.
  /// - Returns: the names to accept, and how many seconds to wait before the next reading (nil: nothing is on its way).
  package mutating func scan(
    _ entries: [String: FileEntry], completed: Set<String>, nowSeconds: Double, most: Int = .max
  ) -> (ready: [String], waitSeconds: Double?) {
    var ready: [String] = []
    var wait: Double?
    sightings = sightings.filter { entries[$0.key] != nil }
    for (name, entry) in Self.inTurns(entries) where !Self.isIgnored(name) {
      if ready.count >= most { break }
      if sightings[name]?.entry != entry { sightings[name] = Sighting(entry: entry, sinceSeconds: nowSeconds) }
      let rest = Self.settleSeconds - (nowSeconds - (sightings[name]?.sinceSeconds ?? nowSeconds))
      if completed.contains(name) || rest <= 0 {
        ready.append(name)
        sightings[name] = nil
      } else {
        wait = min(wait ?? rest, rest)
      }
    }
    return (ready, wait)
  }
}
