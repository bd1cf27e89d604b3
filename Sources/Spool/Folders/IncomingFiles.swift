import Queue
import Files

/// Decides which files of `incoming/` are complete.
///
/// A file that was moved in is whole. Of any other the kernel is asked whether somebody has it open for writing. Where it does
/// not say, what was heard has to do: a file that was closed after writing and is not open any more is whole, however long
/// that took; one that stood there before anybody listened is complete when it has stood still for `stillSeconds`.
package struct IncomingFiles {
  /// How long a file has to stand still of which nothing better is known.
  package static let stillSeconds = 60.0
  /// How long an empty file has to, that nobody has open: a writer may have made it and not opened it yet, or open it again.
  package static let settleSeconds = 2.0

  /// What was heard of a file since it was there, or since the watch began.
  private struct Account {
    /// Whether it was made while somebody listened: all that was done to it is known.
    var isNew = false
    /// Whether it was moved in, or closed by somebody who could write to it.
    var isWhole = false
    /// Whether it was moved in, and not so much as opened since.
    var isUntouched = false
    /// Whether it was opened since then, or ever.
    var isOpened = false
    /// How many have it open, more or less: of two equal notices in a row the kernel keeps one.
    var openings = 0
    /// Whether somebody who writes to it has not closed it.
    var isWritten = false
    /// Whether a reading found it whole and open.
    var isAwaited = false
    /// When something was heard of it last.
    var time: Int

    init(isNew: Bool = false, isMovedIn: Bool = false, time: Int) {
      (self.isNew, self.isWhole, self.isUntouched, self.time) = (isNew, isMovedIn, isMovedIn, time)
    }

    /// Whether all who opened it have closed it, as far as that can be counted, and wrote nothing since it was whole.
    var isComplete: Bool { isWhole && openings == 0 && !isWritten }
    /// Whether it is known, without a look at it, that somebody is at it. A new file that no writer has closed is being
    /// written, or has never had a writer and is empty.
    var isUnderWay: Bool { isWritten || (isNew && isOpened && !isWhole) }
  }

  private struct Sighting {
    let entry: FileEntry
    let sinceSeconds: Double

    init(_ entry: FileEntry, sinceSeconds: Double) { (self.entry, self.sinceSeconds) = (entry, sinceSeconds) }
  }

  /// What a reading of the folder comes to.
  package struct Reading: Equatable {
    /// The names to accept.
    package var ready: [String]
    /// How many seconds until another reading may find more; nil where only a notice will tell.
    package var waitSeconds: Double?

    package init(ready: [String] = [], waitSeconds: Double? = nil) {
      (self.ready, self.waitSeconds) = (ready, waitSeconds)
    }

    mutating func wait(_ seconds: Double) { waitSeconds = min(waitSeconds ?? seconds, seconds) }
  }

  private var accounts: [String: Account] = [:]
  private var sightings: [String: Sighting] = [:]
  /// Counts the notices.
  package private(set) var time = 0

  package init() {}

  /// Takes note of what happened to a file.
  /// - Returns: whether the folder should be read: a file may be complete now.
  package mutating func hear(_ event: FolderEvent) -> Bool {
    let name = event.name
    guard case .taken = IncomingName(name) else { return false }
    time += 1
    var account = accounts[name] ?? Account(time: time)
    defer { accounts[name] = account }
    account.time = time
    switch event.kind {
    case .created:
      account = Account(isNew: true, time: time)
      return false
    case .movedIn:
      account = Account(isNew: true, isMovedIn: true, time: time)
      return true
    case .opened:
      account.openings += 1
      (account.isOpened, account.isUntouched) = (true, false)
      return false
    case .modified:
      account.isWritten = true
      return false
    case .closedAfterWriting:
      account.openings = max(0, account.openings - 1)
      (account.isWhole, account.isWritten, account.isUntouched) = (true, false, false)
      return true
    case .closedAfterReading:
      account.openings = max(0, account.openings - 1)
      // What the daemon opens itself is no news.
      return account.isAwaited && account.isComplete
    }
  }

  /// Forgets what was heard: notices were lost. What stands there stood there before.
  package mutating func forget() { accounts = [:] }

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
  ///
  /// What had happened when the folder was listed has to be heard by now, or a file that is just being made looks as if it
  /// had stood there before.
  /// - Parameters:
  ///   - entries: what stands there, job files and requests alone.
  ///   - unseen: names that may stand there, too: what is known of them is kept.
  ///   - listed: the `time` before it was listed.
  ///   - nowSeconds: a clock that never goes back.
  ///   - most: how many names to hand out at once; the rest is ready at the next reading.
  ///   - writers: whether somebody has a file open for writing.
  package mutating func read(
    _ entries: [String: FileEntry], unseen: Set<String> = [], listed: Int, nowSeconds: Double, most: Int = .max,
    writers: (String, FileEntry) -> WriterCheck.Answer
  ) -> Reading {
    var reading = Reading()
    accounts = accounts.filter { entries[$0.key] != nil || unseen.contains($0.key) || $0.value.time > listed }
    sightings = sightings.filter { entries[$0.key] != nil || unseen.contains($0.key) }
    for (name, entry) in Self.inTurns(entries) {
      if reading.ready.count >= most { break }
      let verdict = verdict(on: name, entry, nowSeconds: nowSeconds, writers)
      switch verdict {
      case .complete: reading.ready.append(name)
      case .open(let rest): if let rest { reading.wait(rest) }
      }
      if var account = accounts[name] {
        account.isAwaited = account.isWhole && verdict != .complete
        accounts[name] = account
      }
    }
    return reading
  }

  private enum Verdict: Equatable {
    case complete
    /// Not yet: for so many seconds, or until a notice comes.
    case open(forSeconds: Double?)

    static func after(_ seconds: Double) -> Verdict { seconds <= 0 ? .complete : .open(forSeconds: seconds) }
  }

  /// Whether a file says all it has to say by its name: a request, but for the step to begin a retry with.
  private func mayBeEmpty(_ name: String) -> Bool { JobRequest(name).map { $0.verb != .retry } ?? false }

  private mutating func verdict(
    on name: String, _ entry: FileEntry, nowSeconds: Double, _ writers: (String, FileEntry) -> WriterCheck.Answer
  ) -> Verdict {
    // Nobody writes a folder, a link or a pipe to its end.
    if entry.kind != .file || accounts[name]?.isUntouched == true { return .complete }
    let sighting = sightings[name].flatMap { $0.entry == entry ? $0 : nil } ?? Sighting(entry, sinceSeconds: nowSeconds)
    sightings[name] = sighting
    let still = nowSeconds - sighting.sinceSeconds
    let closed = Verdict.after(entry.size == 0 && !mayBeEmpty(name) ? Self.settleSeconds - still : 0)
    switch writers(name, entry) {
    case .nobody: return closed
    case .somebody:
      accounts[name, default: Account(time: time)].isWritten = true
      return .open(forSeconds: nil)
    case .refused:
      return .open(forSeconds: nil)
    case .unknown:
      guard let account = accounts[name] else { return .after(Self.stillSeconds - still) }
      if account.isComplete { return closed }
      return account.isUnderWay ? .open(forSeconds: nil) : .after(Self.stillSeconds - still)
    }
  }
}
