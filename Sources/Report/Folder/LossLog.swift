import Foundation
import Records

/// The losses of a teacher's training, all and by noise level, as its log `NAME.stats.jsonl` tells them.
///
/// However long the log is, what is kept is bounded: neighbouring lines are put together, as the mean over the elements that both
/// saw, until there are few enough.
package struct LossLog: Sendable, Equatable {
  /// Elements of the loss, and their sum.
  package struct Sum: Sendable, Equatable {
    var count = 0.0
    var total = 0.0
    /// Nil where there are none.
    package var mean: Double? { count > 0 ? total / count : nil }

    mutating func add(_ other: Sum) {
      count += other.count
      total += other.total
    }
  }

  /// A range of noise levels.
  package struct Level: Sendable, Hashable {
    package let lower: Double
    /// Infinity where it has no upper end.
    package let upper: Double

    /// Reads the end of a key: "0.1-0.3", "30.0-inf".
    init?(_ text: Substring) {
      guard text.utf8.count <= 32 else { return nil }
      let ends = text.split(separator: "-", omittingEmptySubsequences: false)
      guard ends.count == 2, let lower = Double(ends[0]), let upper = Double(ends[1]), lower >= 0, lower.isFinite,
        upper > lower
      else { return nil }
      (self.lower, self.upper) = (lower, upper)
    }
  }

  /// Some lines in a row, put together.
  package struct Stretch: Sendable, Equatable {
    /// Thousands of images seen at their end.
    package var kimg: Double
    /// Over all noise levels.
    package var all: Sum
    /// In the order of `levels`.
    package var byLevel: [Sum]

    mutating func add(_ next: Stretch) {
      kimg = next.kimg
      all.add(next.all)
      for (index, sum) in next.byLevel.enumerated() {
        if index < byLevel.count { byLevel[index].add(sum) } else { byLevel.append(sum) }
      }
    }
  }

  /// By rising noise.
  package private(set) var levels: [Level] = []
  /// In the order of the training.
  package private(set) var stretches: [Stretch] = []
  /// Lines that tell of a training.
  package private(set) var lineCount = 0
  /// What of the log is not shown, and why.
  package private(set) var problems: [String] = []
  private var linesOfStretch = 1
  private var strangeLines = 0
  private var hasMoreLevels = false

  /// Where the log of a training stands.
  /// - Parameter step: the step's name.
  static func path(of step: String, in folder: String) -> String { "\(folder)/\(fileName(of: step))" }

  /// What it is called.
  static func fileName(of step: String) -> String { step + ".stats.jsonl" }

  static let largestBytes = 64 << 20
  static let longestLine = 64 << 10
  package static let mostLevels = 16
  package static let mostStretches = 2048

  /// - Parameter content: of the file, anybody's.
  package init(_ content: [UInt8]) {
    var start = 0
    while start < content.count {
      let end = content[start...].firstIndex(of: UInt8(ascii: "\n")) ?? content.count
      if !take(content[start..<end]) { strangeLines += 1 }
      start = end + 1
    }
    if strangeLines > 0 {
      let total = Format.plural(strangeLines + lineCount, "line")
      problems.append("\(Format.count(strangeLines)) of \(total) not of a training's log, or out of order")
    }
    if hasMoreLevels { problems.append("more than \(Self.mostLevels) noise levels; the others are not shown") }
    let order = levels.indices.sorted { (levels[$0].lower, levels[$0].upper) < (levels[$1].lower, levels[$1].upper) }
    levels = order.map { levels[$0] }
    for index in stretches.indices {
      let sums = stretches[index].byLevel
      stretches[index].byLevel = order.map { $0 < sums.count ? sums[$0] : Sum() }
    }
  }

  /// The means over a part of the training: all, then by level; nil where nothing was seen.
  /// - Parameter isIncluded: of thousands of images, as a share of those at the end.
  package func means(where isIncluded: (_ share: Double) -> Bool) -> [Double?] {
    let end = stretches.last?.kimg ?? 1
    let part = stretches.filter { isIncluded($0.kimg / end) }
    guard var sum = part.first else { return Array(repeating: nil, count: levels.count + 1) }
    for next in part.dropFirst() { sum.add(next) }
    return [sum.all.mean] + sum.byLevel.map(\.mean)
  }

  /// Takes one line; false where it tells nothing of a training.
  private mutating func take(_ line: ArraySlice<UInt8>) -> Bool {
    guard line.count <= Self.longestLine, let fields = JSONValue(json: Array(line))?.objectValue,
      let kimg = fields["Progress/kimg"]?["mean"]?.realValue, (1e-9...1e12).contains(kimg),
      kimg > stretches.last?.kimg ?? 0, let all = Self.sum(fields["Loss/loss"])
    else { return false }
    var next = Stretch(kimg: kimg, all: all, byLevel: Array(repeating: Sum(), count: levels.count))
    // In an order of their own: a dictionary has none.
    for (key, value) in fields.sorted(by: { $0.key < $1.key }) where key.hasPrefix(Self.levelPrefix) {
      guard let level = Level(key.dropFirst(Self.levelPrefix.count)), let sum = Self.sum(value) else { continue }
      if let index = levels.firstIndex(of: level) {
        next.byLevel[index].add(sum)
      } else if levels.count < Self.mostLevels {
        levels.append(level)
        next.byLevel.append(sum)
      } else {
        hasMoreLevels = true
      }
    }
    lineCount += 1
    append(next)
    return true
  }

  private mutating func append(_ next: Stretch) {
    guard (lineCount - 1) % linesOfStretch == 0 || stretches.isEmpty else {
      return stretches[stretches.count - 1].add(next)
    }
    if stretches.count == Self.mostStretches {
      stretches = stride(from: 0, to: stretches.count, by: 2).map { index in
        var pair = stretches[index]
        if index + 1 < stretches.count { pair.add(stretches[index + 1]) }
        return pair
      }
      linesOfStretch *= 2
    }
    stretches.append(next)
  }

  private static let levelPrefix = "Loss/loss_at_sigma_"

  /// Elements and their sum, of what is written of a quantity; nil where it cannot be a loss.
  private static func sum(_ value: JSONValue?) -> Sum? {
    guard let mean = value?["mean"]?.realValue, let count = value?["num"]?.realValue, (0...1e12).contains(mean),
      (1...1e15).contains(count)
    else { return nil }
    return Sum(count: count, total: count * mean)
  }
}
