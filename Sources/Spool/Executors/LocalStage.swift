import Foundation
import Queue

/// A stage that runs as a child process.
final class LocalStage {
  let process: StageProcess
  let log: StageLog
  let program: String
  /// Whether it has closed its progress pipe, which would be readable for ever.
  private(set) var isSilent = false
  private var stream = ProgressStream()

  init(process: StageProcess, log: StageLog, program: String) {
    (self.process, self.log, self.program) = (process, log, program)
  }

  deinit { close(process.progress) }

  /// What the stage has reported since the last call.
  func progress() -> StageProgress? {
    let read = stream.read(process.progress)
    isSilent = isSilent || read.isAtEnd
    return read.latest
  }
}
