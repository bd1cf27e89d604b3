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

  private static let signatures: [(bytes: [UInt8], offset: Int, kind: String, remedy: String)] = [
    ([0x1F, 0x8B], 0, "a gzip-compressed file", "unpack it first: gunzip (tar archives: tar xzf)"),
    (Array("BZh".utf8), 0, "a bzip2-compressed file", "unpack it first: bunzip2"),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A], 0, "an xz-compressed file", "unpack it first: unxz"),
    ([0x28, 0xB5, 0x2F, 0xFD], 0, "a zstd-compressed file", "unpack it first: unzstd"),
    ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], 0, "a 7z archive", "unpack it first"),
    (Array("Rar!".utf8), 0, "a RAR archive", "unpack it first"),
    (
      Array("version https://git-lfs".utf8), 0, "a Git LFS pointer, which stands for a file that was not fetched",
      "fetch the file itself: git lfs pull"
    ),
    ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], 0, "an HDF5 file", "give the file that is expected here"),
    ([0x50, 0x4B, 3, 4], 0, "a zip archive", "give the file that is expected here"),
    ([0x50, 0x4B, 5, 6], 0, "an empty zip archive", "give the file that is expected here"),
    ([0x93] + Array("NUMPY".utf8), 0, "an array of numpy (npy)", "give the file that is expected here"),
    ([0x89, 0x50, 0x4E, 0x47], 0, "a PNG image", "give the file that is expected here"),
    ([0xFF, 0xD8, 0xFF], 0, "a JPEG image", "give the file that is expected here"),
    (Array("GIF8".utf8), 0, "a GIF image", "give the file that is expected here"),
    (Array("%PDF".utf8), 0, "a PDF document", "give the file that is expected here"),
    (Array("ustar".utf8), 257, "a tar archive", "give the file that is expected here"),
    ([0x80, 2], 0, "a pickle of Python", "a network is converted first: sid-convert"),
    ([0x80, 3], 0, "a pickle of Python", "a network is converted first: sid-convert"),
    ([0x80, 4], 0, "a pickle of Python", "a network is converted first: sid-convert"),
    ([0x80, 5], 0, "a pickle of Python", "a network is converted first: sid-convert"),
  ]

  /// - Parameter beginning: the file's first bytes, `neededBytes` of them where it has so many.
  /// - Returns: nil where they say nothing.
  public init?(_ beginning: [UInt8]) {
    let found = Self.signatures.first { beginning.dropFirst($0.offset).starts(with: $0.bytes) }
    if let found {
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

  /// What the file at `path` begins like; nil where it cannot be read or says nothing.
  public init?(ofFile path: String) {
    guard let beginning = try? InputFile.beginning(of: path, count: Self.neededBytes) else { return nil }
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
