import Diagnostics

/// The seeds of an archive, in the order of its images: "0-49999,7,100-200".
public struct SeedList: Sendable, Equatable, CustomStringConvertible {
  private let ranges: [ClosedRange<UInt64>]
  private let starts: [Int]  // index of the first seed of each range
  /// How many seeds.
  public let count: Int

  /// Reads a list of seeds and ranges, both ends included.
  /// - Throws: a `Failure` (`usage`) naming the part that is no seed and no range.
  public init(_ text: String) throws {
    func refuse(_ part: Substring, _ reason: String) -> Failure {
      Failure(.usage, "--seeds \(text)", "\"\(part)\" \(reason)", remedy: "write seeds as 0-49999 or 1,5,10-20")
    }
    var ranges: [ClosedRange<UInt64>] = []
    var starts: [Int] = []
    var count = 0
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Self.number($0) }
      guard ends.count == 1 || ends.count == 2, let first = ends.first ?? nil, let last = ends.last ?? nil else {
        throw refuse(part, "is no seed and no range of seeds")
      }
      guard first <= last else { throw refuse(part, "runs backwards") }
      guard last - first < 1 << 40 else { throw refuse(part, "has more than 2^40 seeds") }
      starts.append(count)
      ranges.append(first...last)
      count += Int(last - first) + 1
    }
    self.ranges = ranges
    self.starts = starts
    self.count = count
  }

  private static func number(_ text: Substring) -> UInt64? {
    text.allSatisfy { ("0"..."9").contains($0) } ? UInt64(text) : nil
  }

  /// The largest seed.
  public var largest: UInt64 { ranges.map(\.upperBound).max() ?? 0 }

  /// The list in its shortest spelling: adjoining ranges are joined.
  public var description: String {
    var joined: [ClosedRange<UInt64>] = []
    for range in ranges {
      if let last = joined.last, last.upperBound < .max, last.upperBound + 1 == range.lowerBound {
        joined[joined.count - 1] = last.lowerBound...range.upperBound
      } else {
        joined.append(range)
      }
    }
    return joined.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(
      separator: ",")
  }

  /// The seeds of images `indices`.
  public subscript(indices: Range<Int>) -> [UInt64] {
    var result: [UInt64] = []
    result.reserveCapacity(indices.count)
    for range in self.ranges(indices) { result.append(contentsOf: range) }
    return result
  }

  /// The same as a list of its own.
  public func sublist(_ indices: Range<Int>) -> SeedList { SeedList(ranges: ranges(indices)) }

  /// Whether a seed occurs more than once.
  public var hasRepetitions: Bool {
    let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
    return zip(sorted, sorted.dropFirst()).contains { $0.upperBound >= $1.lowerBound }
  }

  private init(ranges: [ClosedRange<UInt64>]) {
    self.ranges = ranges
    var count = 0
    starts = ranges.map { range in
      defer { count += Int(range.upperBound - range.lowerBound) + 1 }
      return count
    }
    self.count = ranges.isEmpty ? 0 : count
  }

  private func ranges(_ indices: Range<Int>) -> [ClosedRange<UInt64>] {
    precondition(indices.lowerBound >= 0 && indices.upperBound <= count, "seeds \(indices) of \(count)")
    var result: [ClosedRange<UInt64>] = []
    // The last range that begins at or before the first index.
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= indices.lowerBound { low = middle } else { high = middle }
    }
    while low < ranges.count, starts[low] < indices.upperBound {
      let (range, start) = (ranges[low], starts[low])
      let overlap = indices.clamped(to: start..<start + Int(range.upperBound - range.lowerBound) + 1)
      if !overlap.isEmpty {
        let first = range.lowerBound + UInt64(overlap.lowerBound - start)
        result.append(first...first + UInt64(overlap.count - 1))
      }
      low += 1
    }
    return result
  }
}
