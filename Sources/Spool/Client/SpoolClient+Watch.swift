import JobFolder
import Diagnostics
import Foundation

extension SpoolClient {
  private static let pollMicroseconds: UInt32 = 200_000

  /// Follows a job to its end: a bar per stage on a terminal, lines elsewhere.
  /// - Returns: the job in `done/`, `failed/` or `held/`.
  /// - Throws: a `Failure` where there is no such job.
  public func watch(_ text: String, console: Console) throws -> Job {
    var view = WatchView(console)
    var misses = 0
    while true {
      let isWaiting = try isWaiting(text)
      if !isWaiting, let job = try find(text) {
        view.show(job)
        if job.state.isFinal || job.state == .held { return job }
      } else if !isWaiting {
        // Between incoming/ and queue/, and between two states, a job stands nowhere for a moment.
        misses += 1
        if misses > 10 { _ = try job(text) }
      }
      usleep(Self.pollMicroseconds)
    }
  }
}

extension SpoolClient {
  /// Draws what waits or is being run, twice a second, for ever.
  /// - Parameter put: takes text for a terminal.
  public func watchTable(put: (String) throws -> Void) throws -> Never {
    while true {
      let jobs = try jobs()
      let over = jobs.filter(\.state.isFinal).suffix(5)
      let table = StatusReport.table(jobs.filter { !$0.state.isFinal }.suffix(200) + over, waiting: try waiting())
      let time = Date().formatted(date: .omitted, time: .standard)
      // Home, each line cleared to its end, and the rest below.
      let lines = ["\(root)  \(time)", ""] + table.split(separator: "\n").map(String.init)
      try put("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\r\n\u{1B}[J")
      usleep(500_000)
    }
  }
}

/// What has been shown of a job that is being followed.
private struct WatchView {
  private let console: Console
  private var state: JobState?
  private var step: String?
  private var attempts = 0
  private var finished = 0
  private var status: JobStatus?

  init(_ console: Console) { self.console = console }

  mutating func show(_ job: SpoolClient.Job) {
    defer { state = job.state }
    guard let new = job.status else { return }
    for name in new.finishedSteps.dropFirst(finished) {
      if name != step || !showFullBar(name) { console.line("\(job.id): step \"\(name)\" finished") }
    }
    finished = max(finished, new.finishedSteps.count)
    if job.state == .active, let name = new.step, !new.finishedSteps.contains(name) {
      if name != step || new.attempts > attempts {
        let again = new.attempts > 1 ? ", attempt \(new.attempts)" : ""
        console.line("\(job.id): step \"\(name)\" (\(finished + 1) of \(new.steps.count)) started\(again)")
      }
      (step, attempts) = (name, new.attempts)
      if new.percent != nil { console.progress(name, new) }
    } else if job.state == .queue, state != .queue {
      console.line("\(job.id): \(new.reason.map { "deferred: \($0)" } ?? "waits in the queue")")
    }
    status = new
  }

  /// The last report of a step may be a moment older than its end.
  private func showFullBar(_ name: String) -> Bool {
    guard var last = status, last.step == name, last.percent != nil else { return false }
    (last.percent, last.done, last.etaSeconds) = (100, last.total, nil)
    return console.finishBar(name, last)
  }
}
