import Diagnostics
import Foundation
import Records
import Synchronization

/// Shows how far a stage is: a bar on a terminal, now and then a line elsewhere, and JSON lines for the daemon.
///
/// May be called as often as the work likes; it writes only as often as somebody can read. Safe from any thread.
public final class ProgressReporter: Sendable {
  private let stage: String
  private let unit: String
  private let total: Int
  private let descriptor: Int32?
  private let style: ProgressStyle
  private let write: @Sendable (String, Int32) -> Void
  private let clock: @Sendable () -> Double
  private let state: Mutex<State>

  private struct State {
    let started: Double
    let firstDone: Int
    var done: Int
    var metrics: [String: Double] = [:]
    var lastShown = -Double.infinity
    var lastSent = -Double.infinity
    var finished = false
  }

  /// - Parameters:
  ///   - stage: what the work is called.
  ///   - total: how many units it has.
  ///   - unit: what is counted, in the plural: "images", "kimg".
  ///   - alreadyDone: units an earlier run has done; they do not count for the rate.
  ///   - options: for `--progress-fd`.
  public convenience init(stage: String, total: Int, unit: String, alreadyDone: Int = 0, options: StageOptions) {
    self.init(
      stage: stage, total: total, unit: unit, alreadyDone: alreadyDone, descriptor: options.progressDescriptor,
      style: isatty(STDERR_FILENO) == 1 ? .bar(columns: ProgressLine.columns(of: STDERR_FILENO)) : .lines,
      write: { StandardError.write($0, to: $1) }, clock: { ProcessInfo.processInfo.systemUptime })
  }

  package init(
    stage: String, total: Int, unit: String, alreadyDone: Int, descriptor: Int32?, style: ProgressStyle,
    write: @escaping @Sendable (String, Int32) -> Void, clock: @escaping @Sendable () -> Double
  ) {
    self.stage = stage
    self.total = total
    self.unit = unit
    self.descriptor = descriptor
    self.style = style
    self.write = write
    self.clock = clock
    state = Mutex(State(started: clock(), firstDone: alreadyDone, done: alreadyDone))
  }

  /// Reports where the work stands.
  /// - Parameters:
  ///   - done: units done, those of earlier runs included.
  ///   - metrics: figures worth watching; they stay until replaced.
  public func update(done: Int, metrics: [String: Double] = [:]) {
    report(done: done, metrics: metrics, last: false)
  }

  /// Reports the last state once more, complete, and ends the bar.
  public func finish() { report(done: nil, metrics: [:], last: true) }

  private func report(done: Int?, metrics: [String: Double], last: Bool) {
    state.withLock { state in
      guard !state.finished else { return }
      if let done { state.done = done }
      state.metrics.merge(metrics) { $1 }
      state.finished = last
      let now = clock()
      let snapshot = snapshot(of: state, now: now)
      if let descriptor, last || now - state.lastSent >= 0.2 {
        state.lastSent = now
        write(snapshot.json + "\n", descriptor)
      }
      switch style {
      case .bar(let columns) where last || now - state.lastShown >= 0.1:
        state.lastShown = now
        write("\r\u{1B}[K" + snapshot.line.bar(columns: columns) + (last ? "\n" : ""), STDERR_FILENO)
      case .lines where last || now - state.lastShown >= 5:
        state.lastShown = now
        write(snapshot.line.text + "\n", STDERR_FILENO)
      default: break
      }
    }
  }

  private func snapshot(of state: State, now: Double) -> ProgressSnapshot {
    let seconds = now - state.started
    let rate = seconds > 0 ? Double(state.done - state.firstDone) / seconds : 0
    return ProgressSnapshot(
      stage: stage, done: state.done, total: total, unit: unit, rate: rate,
      etaSeconds: rate > 0 ? Double(max(total - state.done, 0)) / rate : nil,
      metrics: state.metrics.filter { $0.value.isFinite })
  }
}

/// How progress is shown on stderr.
package enum ProgressStyle: Sendable {
  case bar(columns: Int)
  case lines
}

/// One moment of a stage.
package struct ProgressSnapshot: Encodable, Sendable {
  package var stage: String
  package var done: Int
  package var total: Int
  package var unit: String
  package var rate: Double  // units per second
  package var etaSeconds: Double?
  package var metrics: [String: Double]

  enum CodingKeys: String, CodingKey {
    case stage, done, total, unit, rate, metrics
    case etaSeconds = "eta_s"
  }

  /// The object of a `--progress-fd` line; `eta_s` is null until there is a rate.
  package var json: String {
    var fields: [String: JSONValue] = [
      "stage": .string(stage), "done": .int(done), "total": .int(total), "unit": .string(unit), "rate": .double(rate),
      "metrics": .object(metrics.mapValues { .double($0) }),
    ]
    fields["eta_s"] = etaSeconds.map { .double($0) } ?? .null
    return JSONValue.object(fields).text
  }

  /// The same for people.
  package var line: ProgressLine {
    ProgressLine(
      label: stage, done: Double(done), total: Double(total), unit: unit, rate: rate, etaSeconds: etaSeconds,
      metrics: metrics)
  }
}
