import Queue
import Diagnostics
import Files
import Foundation

/// `incoming/` as the daemon sees it: what is told of it, and what stands in it.
package final class IncomingFolder {
  /// What a reading comes to.
  package struct Reading {
    /// The names of complete files, to accept.
    package let ready: [String]
    /// Names that are neither job files nor on their way, each told once.
    package let others: [ByteName]
    /// What kept names from being looked at; they are looked at again.
    package let failures: [String: Failure]
    /// How many seconds until another reading may find more; nil where only a notice will tell.
    package let waitSeconds: Double?
    /// Whether another reading finds more now.
    package let hasMore: Bool
  }

  private let path: String
  private let files = DiskFileSystem()
  private var watch: FolderWatch?
  private var incoming = IncomingFiles()
  private var otherNames = OtherNames()
  private var check: WriterCheck

  /// - Parameters:
  ///   - path: the folder.
  ///   - check: what finds out about writers; nil for the kernel.
  package init(_ path: String, check: WriterCheck? = nil) {
    self.path = path
    self.check = check ?? WriterCheck(trialFolder: path)
  }

  /// Becomes readable when something has happened; nil where the folder is not watched.
  package var descriptor: Int32? { watch?.descriptor }

  /// Begins to watch, or does so anew where the folder is another one than the one that is watched.
  ///
  /// To be called before each reading: what is heard first and listed then is missed by neither.
  /// - Throws: a `Failure` where it cannot be watched.
  package func listen() throws {
    if let watch, watch.isCurrent { return }
    watch = nil
    incoming.forget()
    watch = try FolderWatch(path)
  }

  /// Takes note of what has happened.
  /// - Returns: whether the folder should be read.
  package func hear() -> Bool {
    guard let news = watch?.news() else { return false }
    var isDue = false
    for event in news.events where incoming.hear(event) { isDue = true }
    if news.isIncomplete { incoming.forget() }
    if news.isOver {
      watch = nil
      incoming.forget()
    }
    return isDue || news.isIncomplete || news.isOver
  }

  /// Reads the folder.
  /// - Parameters:
  ///   - nowSeconds: a clock that never goes back.
  ///   - most: how many names to hand out at once; the rest is ready at the next reading.
  ///   - postponed: names that are left alone this time.
  /// - Throws: a `Failure` where the folder cannot be read.
  package func read(nowSeconds: Double, most: Int = .max, passingOver postponed: Set<String> = []) throws -> Reading {
    let listed = incoming.time
    let names = try files.rawNames(in: path)
    // What had happened to these files before they were listed is heard now.
    let hasNews = hear()
    var entries: [String: FileEntry] = [:]
    var others: [ByteName] = []
    var failures: [String: Failure] = [:]
    // What is known of these is kept.
    var unseen = postponed
    for name in names {
      switch (IncomingName(String(decoding: name.bytes, as: UTF8.self)), name.text) {
      case (.ignored, _): break
      case (.taken, let text?) where postponed.contains(text): break
      case (.taken, let text?):
        do {
          entries[text] = try files.entry("\(path)/\(text)")
        } catch let failure as Failure {
          failures[text] = failure
          unseen.insert(text)
        }
      default: others.append(name)
      }
    }
    let reading = incoming.read(entries, unseen: unseen, listed: listed, nowSeconds: nowSeconds, most: most) {
      name, entry in
      let answer = check.writers(of: "\(path)/\(name)", owner: entry.owner)
      if case .refused(let failure) = answer { failures[name] = failure }
      return answer
    }
    let told = otherNames.read(others, nowSeconds: nowSeconds)
    return Reading(
      ready: reading.ready, others: told.report, failures: failures,
      waitSeconds: [reading.waitSeconds, told.waitSeconds].compactMap { $0 }.min(),
      hasMore: hasNews || reading.ready.count >= most)
  }
}
