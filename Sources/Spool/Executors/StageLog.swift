import Diagnostics
import Files
import Foundation
import JobFolder

/// A stage's stdout and stderr: `log/NAME.log` of the job's folder, one attempt after the other.
final class StageLog {
  private static let longestTailBytes = 16 << 10

  /// Open for appending.
  let descriptor: Int32
  private let start: off_t

  /// Opens the log and heads the attempt with a line of the daemon's.
  /// - Throws: a `Failure` where the heading cannot be written as a whole; nothing of it is left then.
  init(folder: String, step: String, heading: StepLogHeading) throws {
    let logs = "\(folder)/\(JobFolderNames.log)"
    try DiskFileSystem().createFolder(logs)
    // A stage may have put a link there.
    let place = open(logs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard place >= 0 else { throw Failure.system(logs, "open") }
    defer { close(place) }
    let name = "\(step).log"
    let descriptor = openat(place, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
    guard descriptor >= 0 else { throw Failure.system("\(logs)/\(name)", "open") }
    do {
      start = try Self.append(heading.line + "\n", to: descriptor, path: "\(logs)/\(name)")
      // So that a log that was begun is there after a power failure, and in it how often the step was tried.
      guard fsync(place) == 0 else { throw Failure.system(logs, "flush to disk") }
      try AtomicFile.synchronize(folder)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  /// Writes a line and flushes it.
  /// - Returns: where it ends.
  private static func append(_ line: String, to descriptor: Int32, path: String) throws -> off_t {
    let bytes = Array(line.utf8)
    let before = lseek(descriptor, 0, SEEK_END)
    guard before >= 0 else { throw Failure.system(path, "find its end") }
    var written = 0
    while written < bytes.count {
      let n = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
      }
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else {
        let failure = Failure.system(path, "write")
        ftruncate(descriptor, before)
        throw failure
      }
      written += n
    }
    guard fsync(descriptor) == 0 else { throw Failure.system(path, "flush to disk") }
    return before + off_t(bytes.count)
  }

  deinit { close(descriptor) }

  /// What the stage said last in this attempt: its error line (`PROGRAM: ...`), else its last line that is not empty.
  func lastLine(of program: String) -> String? {
    Self.tail(descriptor, from: start).flatMap { Self.lastLine(of: program, in: $0) }
  }

  /// The same of a stage whose log somebody else has open: what stands behind the last heading.
  static func lastLine(of program: String, step: String, folder: String) -> String? {
    let place = open("\(folder)/\(JobFolderNames.log)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard place >= 0 else { return nil }
    defer { close(place) }
    let descriptor = openat(place, "\(step).log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard var lines = tail(descriptor, from: 0) else { return nil }
    if let heading = lines.lastIndex(where: { StepLogHeading($0) != nil }) { lines.removeFirst(heading + 1) }
    return lastLine(of: program, in: lines)
  }

  /// The last lines that are not empty.
  private static func tail(_ descriptor: Int32, from start: off_t) -> [String]? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    let from = max(start, status.st_size - off_t(Self.longestTailBytes))
    var bytes = [UInt8](repeating: 0, count: Int(max(0, status.st_size - from)))
    let count = pread(descriptor, &bytes, bytes.count, from)
    guard count > 0 else { return nil }
    return String(decoding: bytes.prefix(count), as: UTF8.self).split { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  private static func lastLine(of program: String, in lines: [String]) -> String? {
    let line = lines.last { $0.hasPrefix(program + ": ") || $0.hasPrefix("Error: ") } ?? lines.last
    return line.map { String($0.oneLine.prefix(1000)) }
  }
}
