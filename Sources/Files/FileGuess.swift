import Diagnostics
import Foundation

/// What a file is that was taken for something else: told by its first bytes, for messages that say what to do.
public struct FileGuess: Sendable, Equatable {
  /// The kind in words, with its article: "a gzip-compressed file".
  public let kind: String
  /// What to do about it.
  public let remedy: String

  /// How many bytes of the beginning `init` looks at.
  public static let neededBytes = 512

  /// - Parameter beginning: the file's first bytes, `neededBytes` of them where it has so many.
  /// - Returns: nil where they say nothing.
  public init?(_ beginning: [UInt8]) {
    if let found = FileSignature(beginning) {
      (kind, remedy) = (found.kind, found.remedy)
      return
    }
    let start = String(decoding: beginning.drop { $0 <= 0x20 || $0 >= 0x80 }.prefix(64), as: UTF8.self).lowercased()
    if ["<!doctype html", "<html", "<head", "<?xml"].contains(where: start.hasPrefix) {
      kind = "a web page"
      remedy = "the download went wrong; fetch the file itself"
      return
    }
    if beginning.isEmpty {
      (kind, remedy) = ("empty", "fetch or make it again")
      return
    }
    guard !beginning.contains(where: { ($0 < 0x20 && !(9...13).contains($0)) || $0 == 0x7F }) else { return nil }
    kind = "text"
    remedy = "give the file that is expected here"
  }

  private init(kind: String, remedy: String) { (self.kind, self.remedy) = (kind, remedy) }

  /// What the file at `path` begins like; nil where it cannot be read or says nothing.
  public init?(ofFile path: String) {
    guard let file = try? InputFile(path), let beginning = try? file.bytes(from: 0, count: Self.neededBytes) else {
      return nil
    }
    if ZipEnd.isBehindOtherBytes(file) {
      self.init(
        kind: "a zip archive behind other bytes, such as one that unpacks itself",
        remedy: "strip what stands before it: zip -J")
      return
    }
    self.init(beginning)
  }

  /// The failure of a file that is not what is expected, with what it looks like instead.
  /// - Parameter expected: with its article: "an HDF5 file".
  public static func refuse(_ path: String, expected: String, reason: String? = nil) -> Failure {
    let because = reason.map { " (\($0))" } ?? ""
    guard let guess = FileGuess(ofFile: path) else {
      return Failure(.dataError, path, "\(expected) is expected, this is something else\(because)")
    }
    return Failure(.dataError, path, "\(expected) is expected, this is \(guess.kind)\(because)", remedy: guess.remedy)
  }
}
