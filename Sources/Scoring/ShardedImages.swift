import Diagnostics
import Images

/// Files of images one after another.
final class ShardedImages: ImageSource {
  let count: Int
  let shape: ImageShape
  let leftOut: LeftOut
  private let parts: [(rows: Range<Int>, source: any ImageSource)]

  /// - Parameters:
  ///   - shards: each with its path, in order.
  ///   - beside: what stands beside the shards and was left out.
  /// - Throws: a `Failure` where a shard's images have another shape than the first's.
  init(_ shards: [(path: String, source: any ImageSource)], beside: LeftOut) throws {
    precondition(!shards.isEmpty, "no shards")
    var leftOut = beside
    for shard in shards { leftOut.add(shard.source.leftOut) }
    self.leftOut = leftOut
    shape = shards[0].source.shape
    var parts: [(Range<Int>, any ImageSource)] = []
    var next = 0
    for (path, source) in shards {
      guard source.shape == shape else {
        throw Failure(.dataError, path, "the images have \(source.shape), those of \(shards[0].path) have \(shape)")
      }
      parts.append((next..<next + source.count, source))
      next += source.count
    }
    (self.parts, count) = (parts, next)
  }

  func images(_ range: Range<Int>) throws -> [UInt8] {
    var pixels: [UInt8] = []
    for part in parts where part.rows.overlaps(range) {
      let rows = part.rows.clamped(to: range)
      pixels += try part.source.images(rows.lowerBound - part.rows.lowerBound..<rows.upperBound - part.rows.lowerBound)
    }
    return pixels
  }
}
