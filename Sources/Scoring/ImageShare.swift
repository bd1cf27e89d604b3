import Diagnostics

/// One machine's share of a set of images: whole segments, so that the shares put together give the bits of one machine.
public struct ImageShare: Sendable, Equatable {
  /// From 1 to `count`.
  public let index: Int
  /// The number of shares.
  public let count: Int

  /// - Parameter text: `i/n`.
  /// - Returns: nil where it is something else, or i is not from 1 to n.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], count >= 1, count <= 1 << 20,
      (1...count).contains(index)
    else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// The images of this share.
  /// - Parameters:
  ///   - total: the number of all images.
  ///   - origin: names them in errors.
  /// - Throws: a `Failure` where there are more shares than segments.
  func images(of total: Int, origin: String) throws -> Range<Int> {
    let size = FeatureMoments.segmentRows
    let segments = (total + size - 1) / size
    guard segments >= count else {
      throw Failure(
        .dataError, origin, "\(total) images are \(segments) segments of \(size), too few for \(count) shares",
        remedy: "cut them into at most \(max(segments, 1)) share(s)")
    }
    let (first, last) = ((index - 1) * segments / count, index * segments / count)
    return first * size..<min(last * size, total)
  }
}
