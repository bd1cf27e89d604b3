import CLinux
import Foundation

/// What a program says to people: unbuffered, and nobody's failure where it cannot be said, on a full disk or to a reader that
/// is gone.
public enum StandardError {
  /// Writes a text as it is.
  public static func write(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Writes everything or gives up; interrupted and partial writes are continued.
  public static func write(_ text: String, to descriptor: Int32) {
    _ = StandardStreams.write(Array(text.utf8), to: descriptor)
  }
}

/// What a program was asked for, where that is text: what could not be written counts as not done.
public enum StandardOutput {
  /// Writes bytes at once, after what was printed before.
  /// - Throws: a `Failure` with status `ioError`.
  public static func write(_ bytes: [UInt8]) throws {
    try check()
    if let code = StandardStreams.write(bytes, to: STDOUT_FILENO) { throw failure(code) }
  }

  /// Hands over what was printed. To be called before a program says that it has succeeded.
  /// - Throws: a `Failure` with status `ioError` where something of it could not be written, now or earlier.
  public static func check() throws {
    let code = sid_flush_output()
    if code != 0 { throw failure(code) }
  }

  private static func failure(_ code: Int32) -> Failure {
    Failure(.ioError, "standard output", "cannot write: \(String(cString: strerror(code)))")
  }
}

/// The three descriptors that every program finds open, or should.
public enum StandardStreams {
  /// Sees to it that none of them is closed, or the first file that is opened would be taken for it and written to, and that
  /// a reader who has gone away is an error of the call and no death by SIGPIPE.
  public static func prepare() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      guard fcntl(descriptor, F_GETFD) < 0, errno == EBADF else { continue }
      // Open for the other direction: to use it stays an error. The lowest number that is free is this one.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
    signal(SIGPIPE, SIG_IGN)
  }

  /// Writes everything.
  /// - Returns: the system's error number where it cannot; nil where it could.
  fileprivate static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    var written = 0
    return bytes.withUnsafeBytes { buffer in
      while written < buffer.count {
        let n = Foundation.write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
        if n < 0 && errno == EINTR { continue }
        if n <= 0 { return n < 0 ? errno : EIO }
        written += n
      }
      return nil
    }
  }
}
