import Diagnostics
import Files
import Foundation

/// A stage's stdout and stderr: `log/NAME.log` of the job's folder, one attempt after the other.
final class StageLog {
  private static let longestTailBytes = 16 << 10

  /// Open for appending.
  let descriptor: Int32
  private let start: off_t

  /// Opens the log and heads the attempt with a line of the daemon's.
  init(folder: String, step: String, heading: String) throws {
    let logs = "\(folder)/\(JobFolders.Name.log)"
    try DiskFileSystem().createFolder(logs)
    // A stage may have put a link there.
    let place = open(logs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard place >= 0 else { throw Failure.system(logs, "open") }
    defer { close(place) }
    let name = "\(step).log"
    let descriptor = openat(place, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
    guard descriptor >= 0 else { throw Failure.system("\(logs)/\(name)", "open") }
    let line = Array("# \(heading.oneLine)\n".utf8)
    _ = write(descriptor, line, line.count)
    self.descriptor = descriptor
    start = lseek(descriptor, 0, SEEK_END)
  }

  deinit { close(descriptor) }

  /// What the stage said last in this attempt: its error line (`PROGRAM: ...`), else its last line that is not empty.
  func lastLine(of program: String) -> String? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    let from = max(start, status.st_size - off_t(Self.longestTailBytes))
    var bytes = [UInt8](repeating: 0, count: Int(max(0, status.st_size - from)))
    let count = pread(descriptor, &bytes, bytes.count, from)
    guard count > 0 else { return nil }
    let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    let line = lines.last { $0.hasPrefix(program + ": ") || $0.hasPrefix("Error: ") } ?? lines.last
    return line.map { String($0.oneLine.prefix(1000)) }
  }
}
