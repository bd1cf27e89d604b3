import Diagnostics
import Files

extension WorkShare {
  /// The images of this share: whole segments, so that the shares put together give the bits of one machine.
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
