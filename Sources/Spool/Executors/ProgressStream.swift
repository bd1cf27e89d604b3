import Foundation
import Queue

/// Cuts what comes through a progress pipe into lines.
struct ProgressStream {
  /// Longer lines are none of ours.
  private static let longestLineBytes = 64 << 10
  private var rest: [UInt8] = []

  /// Reads what is there without waiting.
  /// - Returns: the latest complete line that is progress, and whether the other end is closed.
  mutating func read(_ descriptor: Int32) -> (latest: StageProgress?, isAtEnd: Bool) {
    var latest: StageProgress?
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return (latest, count == 0) }
      rest += buffer[..<count]
      latest = takeLines() ?? latest
    }
  }

  private mutating func takeLines() -> StageProgress? {
    var latest: StageProgress?
    let lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for line in lines.dropLast() {
      latest = (try? JSONDecoder().decode(StageProgress.self, from: Data(line))) ?? latest
    }
    rest = Array(lines.last ?? [])
    if rest.count > Self.longestLineBytes { rest = [] }
    return latest
  }
}

/// Reads on in a file that a stage on another machine writes its progress to.
struct ProgressTail {
  /// Of one that was taken over only the end is read.
  private static let mostBytesBefore: off_t = 256 << 10
  private let path: String
  private var stream = ProgressStream()
  private var offset: off_t?
  /// What was read last.
  private(set) var latest: StageProgress?

  init(_ path: String) { self.path = path }

  /// Reads what was added.
  /// - Returns: whether there was anything new.
  mutating func read() -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    let from = offset ?? max(0, status.st_size - Self.mostBytesBefore)
    guard status.st_size > from, lseek(descriptor, from, SEEK_SET) >= 0 else {
      offset = from
      return false
    }
    let news = stream.read(descriptor).latest
    offset = lseek(descriptor, 0, SEEK_CUR)
    latest = news ?? latest
    return news != nil
  }
}
