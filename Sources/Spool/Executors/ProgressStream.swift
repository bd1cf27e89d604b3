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
