extension String {
  /// The path of the folder that holds what this path names: "" for a bare name, "/" beneath the root.
  ///
  /// In the place of Foundation's `deletingLastPathComponent`, which traps on Linux for a path of one character.
  public var parentFolder: String {
    let trimmed = utf8.dropLast(while: Self.slash)
    let folder = trimmed[..<(trimmed.lastIndex(of: Self.slash).map { trimmed.index(after: $0) } ?? trimmed.startIndex)]
    let result = folder.dropLast(while: Self.slash)
    if result.isEmpty, utf8.first == Self.slash { return "/" }
    return String(Substring(result))
  }

  fileprivate static var slash: UInt8 { UInt8(ascii: "/") }
}

extension BidirectionalCollection where Element == UInt8 {
  fileprivate func dropLast(while byte: UInt8) -> SubSequence {
    self[..<(lastIndex { $0 != byte }.map { index(after: $0) } ?? startIndex)]
  }
}
