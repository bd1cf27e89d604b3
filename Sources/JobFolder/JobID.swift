import Foundation

/// A job's name in the spool: `20261122T221500Z-NAME-7f3a`, when it was accepted (UTC), what it is called, and four
/// hexadecimal digits that tell jobs of one second apart. IDs sort by time.
public struct JobID: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// `20261122T221500Z`.
  public let stamp: String
  /// The job's name.
  public let name: String
  /// Four hexadecimal digits.
  public let suffix: String

  package init(stamp: String, name: String, suffix: String) {
    self.stamp = stamp
    self.name = name
    self.suffix = suffix
  }

  /// Reads an ID, or nothing where `text` is none.
  public init?(_ text: some StringProtocol) {
    // A full spool has many thousands of names: by bytes, which are characters wherever a dash stands.
    let bytes = text.utf8
    guard bytes.count >= 23 else { return nil }
    let (first, last) = (bytes.index(bytes.startIndex, offsetBy: 16), bytes.index(bytes.endIndex, offsetBy: -5))
    guard bytes[first] == UInt8(ascii: "-"), bytes[last] == UInt8(ascii: "-") else { return nil }
    let (stamp, suffix) = (text[..<first], text[bytes.index(after: last)...])
    let name = String(text[bytes.index(after: first)..<last])
    guard Self.isStamp(stamp), Self.isSuffix(suffix), JobName.isValid(name) else { return nil }
    self.init(stamp: String(stamp), name: name, suffix: String(suffix))
  }

  /// The whole ID.
  public var description: String { "\(stamp)-\(name)-\(suffix)" }

  /// Name and digits: enough to tell a job from others of its name.
  public var reference: String { "\(name)-\(suffix)" }

  /// By time, then by name.
  public static func < (left: JobID, right: JobID) -> Bool {
    (left.stamp, left.name, left.suffix) < (right.stamp, right.name, right.suffix)
  }

  /// The first part of the ID of a job accepted at `date`.
  package static func stamp(_ date: Date) -> String {
    var seconds = time_t(date.timeIntervalSince1970.rounded(.down))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ value: Int32, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let day = padded(parts.tm_year + 1900, 4) + padded(parts.tm_mon + 1, 2) + padded(parts.tm_mday, 2)
    return "\(day)T\(padded(parts.tm_hour, 2))\(padded(parts.tm_min, 2))\(padded(parts.tm_sec, 2))Z"
  }

  /// Whether `text` is four hexadecimal digits.
  package static func isSuffix(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 4 && text.utf8.allSatisfy { isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
  }

  private static func isStamp(_ text: some StringProtocol) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return false }
    return bytes.indices.allSatisfy { $0 == 8 || $0 == 15 || isDigit(bytes[$0]) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
