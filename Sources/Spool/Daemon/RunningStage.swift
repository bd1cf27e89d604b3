import JobFolder
import Foundation

/// A stage at work.
final class RunningStage {
  /// How often `status.json` follows the progress.
  private static let writeInterval = Duration.seconds(1)

  let step: JobStep
  let process: StageProcess
  let log: StageLog
  let started = ContinuousClock.now
  private(set) var status: JobStatus
  /// When it is killed, once it was told to stop.
  var killTime: ContinuousClock.Instant?
  /// Whether it has closed its progress pipe, which would be readable for ever.
  private(set) var isSilent = false
  private let secondsBefore: Double
  private let timeoutSeconds: Double?
  private var stream = ProgressStream()
  private var isWritten = true
  private var lastWrite = ContinuousClock.now - .seconds(60)

  init(step: JobStep, process: StageProcess, log: StageLog, status: JobStatus, timeoutSeconds: Double?) {
    self.step = step
    self.process = process
    self.log = log
    self.status = status
    self.timeoutSeconds = timeoutSeconds
    secondsBefore = status.secondsRun ?? 0
  }

  deinit { close(process.progress) }

  /// How long this attempt has run.
  var seconds: Double { (ContinuousClock.now - started) / .seconds(1) }

  /// How long until the step has run for as long as it may; nil for no limit.
  var secondsToTimeout: Double? { killTime == nil ? timeoutSeconds.map { $0 - secondsBefore - seconds } : nil }

  /// How long until it is killed.
  var secondsToKill: Double? { killTime.map { ($0 - .now) / .seconds(1) } }

  /// Takes up what the stage has reported.
  /// - Returns: whether there was something new.
  func readProgress() -> Bool {
    let read = stream.read(process.progress)
    isSilent = isSilent || read.isAtEnd
    status.secondsRun = secondsBefore + seconds
    guard let progress = read.latest else { return false }
    status.percent = progress.percent
    status.done = progress.done
    status.total = progress.total
    status.unit = progress.unit
    status.rate = progress.rate
    status.etaSeconds = progress.etaSeconds
    if progress.done > status.farthest {
      // It has come farther than ever: the count of attempts begins anew with this one.
      status.farthest = progress.done
      status.attempts = 1
      status.interruptions = 0
    }
    isWritten = false
    return true
  }

  /// How many seconds until `status.json` has to be written; nil where it says what there is to say.
  var secondsToWrite: Double? {
    isWritten ? nil : max(0, (Self.writeInterval - (ContinuousClock.now - lastWrite)) / .seconds(1))
  }

  func noteWritten() {
    isWritten = true
    lastWrite = .now
  }
}
