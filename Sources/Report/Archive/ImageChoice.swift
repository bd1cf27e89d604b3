import Compute

/// Which images of an archive a check looks at: all of them, or runs of neighbours spread over the whole archive.
///
/// The choice depends on the number of images alone. Runs, not single images, because an archive of many shards would
/// otherwise have to open each of them.
public struct ImageChoice: Sendable, Equatable {
  /// The chosen images, in order.
  public let ranges: [Range<Int>]
  /// The number of images that were chosen from.
  public let total: Int

  /// Neighbours of a run, where there are enough images.
  public static let runLength = 100

  /// - Parameters:
  ///   - total: the number of images.
  ///   - limit: the most that are chosen; at least 1.
  public init(of total: Int, limit: Int) {
    precondition(total >= 0 && limit >= 1, "\(limit) of \(total) images")
    self.total = total
    guard total > limit else {
      ranges = total > 0 ? [0..<total] : []
      return
    }
    let length = max(1, min(Self.runLength, limit / 10))
    let runs = limit / length
    let generator = Philox(seed: 0)
    ranges = (0..<runs).map { run in
      // One run in each part of equal size; the parts are no shorter than a run, since there are more images than chosen.
      let part = Self.part(run, of: runs, total: total)
      let room = min(part.count - length + 1, 1 << 31)
      let start = part.lowerBound + generator.integer(below: room, stream: (UInt64(run), 0))
      return start..<start + length
    }
  }

  /// The number of chosen images.
  public var count: Int { ranges.reduce(0) { $0 + $1.count } }

  /// Whether every image was chosen.
  public var isAll: Bool { count == total }

  /// The place in the archive of the chosen image `index`.
  public func place(_ index: Int) -> Int {
    var left = index
    for range in ranges {
      if left < range.count { return range.lowerBound + left }
      left -= range.count
    }
    preconditionFailure("image \(index) of \(count)")
  }

  /// The places of some of the chosen images, by their numbers: runs, in order.
  func places(_ numbers: Range<Int>) -> [Range<Int>] {
    var (places, first): ([Range<Int>], Int) = ([], 0)
    for range in ranges {
      let part = numbers.clamped(to: first..<first + range.count)
      if !part.isEmpty {
        places.append(range.lowerBound + part.lowerBound - first..<range.lowerBound + part.upperBound - first)
      }
      first += range.count
    }
    return places
  }

  /// The choice in words.
  public var sentence: String { sentence(of: "the archive") }

  /// The same for images of something else.
  func sentence(of whole: String) -> String {
    if isAll { return "all \(Format.count(total)) images" }
    let length = ranges.first?.count ?? 0
    return
      "\(Format.count(count)) of \(Format.count(total)) images: \(ranges.count) runs of \(length) neighbours, one at a fixed random place in each "
      + "of \(ranges.count) equal parts of \(whole)"
  }

  private static func part(_ index: Int, of parts: Int, total: Int) -> Range<Int> {
    func border(_ i: Int) -> Int {
      let product = total.multipliedFullWidth(by: i)
      return parts.dividingFullWidth(product).quotient
    }
    return border(index)..<border(index + 1)
  }
}
