import COpenSSL
import Diagnostics
import Foundation

/// SHA-256 of files and bytes, in lower-case hexadecimal.
public enum SHA256 {
  /// The digest of a file's content, read in blocks of 1 MiB.
  /// - Throws: a `Failure` naming the file where it cannot be read, or is no regular file; `Interrupted` where the process was
  ///   asked to stop.
  public static func hexDigest(ofFile path: String) throws -> String { try hexDigest(ofFile: ByteName(path)) }

  /// The same for a path that need not be text.
  public static func hexDigest(ofFile name: ByteName) throws -> String {
    let file = try InputFile(name)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    return try digest { update in
      var place = 0
      while true {
        try Interruption.check()
        let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0, from: place) }
        buffer.withUnsafeBytes { update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        if count < buffer.count { return }
        place += count
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
