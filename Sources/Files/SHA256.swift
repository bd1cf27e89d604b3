import COpenSSL
import Diagnostics
import Foundation

/// SHA-256 of files and bytes, in lower-case hexadecimal.
public enum SHA256 {
  /// The digest of a file's content, read in blocks of 1 MiB.
  /// - Throws: a `Failure` naming the file where it cannot be read, or is none; `Interrupted` where the process was asked to stop.
  public static func hexDigest(ofFile path: String) throws -> String { try hexDigest(ofFile: ByteName(path)) }

  /// The same for a path that need not be text.
  public static func hexDigest(ofFile name: ByteName) throws -> String {
    let path = name.description
    // Opening a pipe would wait for somebody who writes to it, for ever.
    let descriptor = name.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    guard descriptor >= 0 else { throw Failure.input(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(path, "look at it") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.dataError, path, "is not a plain file", remedy: "name the file itself")
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    return try digest { update in
      while true {
        try Interruption.check()
        let n = read(descriptor, &buffer, buffer.count)
        if n < 0 && errno == EINTR { continue }
        guard n >= 0 else { throw Failure.system(path, "read") }
        if n == 0 { return }
        buffer.withUnsafeBytes { update(UnsafeRawBufferPointer(rebasing: $0[..<n])) }
      }
    }
  }

  /// The digest of bytes in memory.
  public static func hexDigest(of data: Data) throws -> String {
    try digest { update in data.withUnsafeBytes { update($0) } }
  }

  private static func digest(_ feed: ((UnsafeRawBufferPointer) -> Void) throws -> Void) throws -> String {
    guard let context = EVP_MD_CTX_new() else { throw Failure(.unavailable, "libcrypto", "out of memory") }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      throw Failure(.unavailable, "libcrypto", "SHA-256 is not available")
    }
    try feed { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    var bytes = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &bytes, nil)
    return bytes.map {
      let hex = String($0, radix: 16); return hex.count == 1 ? "0" + hex : hex
    }.joined()
  }
}
