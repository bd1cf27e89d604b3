import Diagnostics
import Foundation

/// The lines of standard input. Waiting for one ends when the process is asked to stop, where `readLine` would go on waiting.
struct InputLines {
  private var buffer: [UInt8] = []
  private var isAtEnd = false
  /// How long a request may go unnoticed that came just before the waiting began.
  private static let pollMilliseconds: Int32 = 200

  /// The next line without its end, nil after the last.
  /// - Throws: `Interrupted` where the process was asked to stop.
  mutating func next() throws -> String? {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffer.removeSubrange(...end) }
        return String(decoding: buffer[..<end], as: UTF8.self)
      }
      guard !isAtEnd else {
        defer { buffer = [] }
        return buffer.isEmpty ? nil : String(decoding: buffer, as: UTF8.self)
      }
      try Interruption.check()
      var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      guard poll(&input, 1, Self.pollMilliseconds) > 0 else { continue }
      var block = [UInt8](repeating: 0, count: 1 << 12)
      let n = read(STDIN_FILENO, &block, block.count)
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { isAtEnd = true } else { buffer += block.prefix(n) }
    }
  }
}
