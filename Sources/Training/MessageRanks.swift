import Compute

/// What carries messages between ranks.
public protocol Messages: Sendable {
  /// The number of this rank.
  var index: Int { get }
  /// How many there are.
  var count: Int { get }
  /// Sends one message to each rank and takes one from each, in their order. All ranks call it, the same number of times.
  ///
  /// A rank's message to itself comes back as it is. Lengths need not be equal.
  func exchange(_ outgoing: [[UInt32]]) throws -> [[UInt32]]
}

/// Ranks that know each other by messages.
///
/// Gradients are summed in slices: each rank gets its slice of everybody's partial sums, adds them in the order of the tree
/// and gives the result to all. With p partial sums on a rank that is (R - 1)/R (p + 1) times the gradients' bytes to send,
/// and p is 1 where each rank's groups are one node of the tree, as where both numbers are powers of two.
public struct MessageRanks<Carrier: Messages>: Ranks {
  private let carrier: Carrier
  /// The most numbers that are summed at a time, which bounds the memory.
  private let bucket: Int

  /// - Parameters:
  ///   - carrier: carries the messages.
  ///   - bucket: the most numbers that are summed at a time; a parameter that is larger is a bucket of its own.
  public init(_ carrier: Carrier, bucket: Int = 16 << 20) { (self.carrier, self.bucket) = (carrier, bucket) }

  /// The number of this rank.
  public var index: Int { carrier.index }
  /// How many there are.
  public var count: Int { carrier.count }

  /// Whether any rank says so.
  public func agree(_ mine: Bool) throws -> Bool { try toAll([mine ? 1 : 0]).contains([1]) }

  /// What rank 0 has.
  public func broadcast(_ bytes: [UInt8]) throws -> [UInt8] {
    let message = index == 0 ? bytes.map(UInt32.init) : []
    return try toAll(message)[0].map { UInt8(truncatingIfNeeded: $0) }
  }

  /// The sum over what all ranks have, the same bits on each of them.
  public func sum(_ mine: GradientSum) throws -> GradientSum {
    let all = try toAll(PartialSums.words(mine)).map { PartialSums($0) }
    let shapes = PartialSums.shapes(all)
    var gradients = [Tensor?](repeating: nil, count: shapes.count)
    for parameters in buckets(shapes) {
      for (parameter, gradient) in zip(parameters, try sum(mine, all, parameters, shapes)) {
        gradients[parameter] = gradient
      }
    }
    // The tree over the objectives alone.
    let bare = all.map { sums in
      GradientSum(mine.cut, unchecked: sums.parts.map { $0.with(gradients: []) })
    }
    guard let whole = GradientSum(joining: bare).whole else { preconditionFailure("a batch that is not complete") }
    return GradientSum(mine.cut, unchecked: [whole.with(gradients: gradients)])
  }

  /// What all ranks have, on rank 0.
  public func gather(_ mine: GradientSum) throws -> GradientSum {
    let all = try toAll(PartialSums.words(mine)).map { PartialSums($0) }
    let shapes = PartialSums.shapes(all)
    var outgoing = [[UInt32]](repeating: [], count: count)
    if index > 0 {
      outgoing[0] = mine.parts.flatMap { $0.gradients.flatMap { $0?.values.map(\.bitPattern) ?? [] } }
    }
    let incoming = try carrier.exchange(outgoing)
    guard index == 0 else { return mine }
    return GradientSum(
      joining: zip(all, incoming).enumerated().map { rank, one in
        rank == 0 ? mine : GradientSum(mine.cut, unchecked: one.0.filled(with: one.1, shapes))
      })
  }

  private func toAll(_ message: [UInt32]) throws -> [[UInt32]] {
    try carrier.exchange(Array(repeating: message, count: count))
  }

  /// The parameters that have a gradient anywhere, in runs of as many elements as are summed at a time.
  private func buckets(_ shapes: [[Int]?]) -> [[Int]] {
    var (all, last, size): ([[Int]], [Int], Int) = ([], [], 0)
    for (parameter, shape) in shapes.enumerated() {
      guard let elements = shape?.reduce(1, *) else { continue }
      if !last.isEmpty, size + elements > bucket {
        all.append(last)
        (last, size) = ([], 0)
      }
      last.append(parameter)
      size += elements
    }
    return last.isEmpty ? all : all + [last]
  }

  /// The sums of some parameters over all ranks.
  private func sum(_ mine: GradientSum, _ all: [PartialSums], _ parameters: [Int], _ shapes: [[Int]?]) throws
    -> [Tensor?]
  {
    let sizes = parameters.map { shapes[$0]?.reduce(1, *) ?? 0 }
    let total = sizes.reduce(0, +)
    /// What a rank's slice takes of each parameter.
    func slice(_ rank: Int) -> [Range<Int>] {
      let (first, end) = (rank * total / count, (rank + 1) * total / count)
      var start = 0
      return sizes.map { size in
        let range = min(max(first - start, 0), size)..<min(max(end - start, 0), size)
        start += size
        return range
      }
    }
    let outgoing = (0..<count).map { rank in
      let ranges = slice(rank)
      var words: [UInt32] = []
      for part in mine.parts {
        for (parameter, range) in zip(parameters, ranges) {
          part.gradients[parameter]?.withUnsafeBufferPointer {
            words.append(contentsOf: $0[range].lazy.map(\.bitPattern))
          }
        }
      }
      return words
    }
    let ranges = slice(index)
    let incoming = try carrier.exchange(outgoing)
    let sums = zip(all, incoming).map { sums, words in
      var words = words[...]
      return GradientSum(
        mine.cut,
        unchecked: sums.parts.map { part in
          part.with(
            gradients: zip(parameters, ranges).map { parameter, range in
              part.has(parameter) ? Tensor(taking: range.count, from: &words, shape: [range.count]) : nil
            })
        })
    }
    guard let whole = GradientSum(joining: sums).whole else { preconditionFailure("a batch that is not complete") }
    let result = whole.gradients.flatMap { $0?.values.map(\.bitPattern) ?? [] }
    var flat = try toAll(result).joined().map { $0 }[...]
    return zip(parameters, sizes).map { parameter, size in
      Tensor(taking: size, from: &flat, shape: shapes[parameter] ?? [])
    }
  }
}

/// Which partial sums a rank has, without their numbers.
private struct PartialSums {
  struct Part {
    let microbatches: Range<Int>
    let objective: Double
    let countedImages: Int
    /// Which parameters have a gradient.
    let mask: [Bool]

    func has(_ parameter: Int) -> Bool { mask[parameter] }

    func with(gradients: [Tensor?]) -> GradientSum.Part {
      GradientSum.Part(
        microbatches: microbatches, gradients: gradients, objective: objective, countedImages: countedImages)
    }
  }

  private(set) var parts: [Part] = []
  /// The shape of each parameter; nil where this rank has no gradient of it.
  private var shapes: [[Int]?] = []

  /// As a message: the shapes, then each part.
  static func words(_ sum: GradientSum) -> [UInt32] {
    let parameters = sum.parts.first?.gradients.count ?? 0
    var words = [UInt32(parameters)]
    for parameter in 0..<parameters {
      let shape = sum.parts.lazy.compactMap { $0.gradients[parameter]?.shape }.first
      words += [shape.map { UInt32($0.count) } ?? .max] + (shape ?? []).map { UInt32($0) }
    }
    for part in sum.parts {
      let bits = part.objective.bitPattern
      words += [
        UInt32(part.microbatches.lowerBound), UInt32(part.microbatches.upperBound), UInt32(part.countedImages),
        UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32),
      ]
      words += part.gradients.map { $0 == nil ? 0 : 1 }
    }
    return words
  }

  init(_ message: [UInt32]) {
    var words = message[...]
    func next() -> Int { words.popFirst().map { Int($0) } ?? 0 }
    let parameters = next()
    for _ in 0..<parameters {
      let dimensions = next()
      shapes.append(dimensions == Int(UInt32.max) ? nil : (0..<dimensions).map { _ in next() })
    }
    while !words.isEmpty {
      let (first, end, counted) = (next(), next(), next())
      let bits = UInt64(next()) | UInt64(next()) << 32
      parts.append(
        Part(
          microbatches: first..<end, objective: Double(bitPattern: bits), countedImages: counted,
          mask: (0..<parameters).map { _ in next() == 1 }))
    }
  }

  /// The shape of each parameter; nil where no rank has a gradient of it.
  static func shapes(_ all: [PartialSums]) -> [[Int]?] {
    (0..<(all.map(\.shapes.count).max() ?? 0)).map { parameter in
      all.lazy.compactMap { parameter < $0.shapes.count ? $0.shapes[parameter] : nil }.first
    }
  }

  /// With the numbers of all its gradients, one behind the other.
  func filled(with words: [UInt32], _ shapes: [[Int]?]) -> [GradientSum.Part] {
    var words = words[...]
    return parts.map { part in
      part.with(
        gradients: shapes.enumerated().map { parameter, shape in
          guard part.has(parameter), let shape else { return nil }
          return Tensor(taking: shape.reduce(1, *), from: &words, shape: shape)
        })
    }
  }
}

extension Tensor {
  /// Takes the next elements of a message.
  fileprivate init(taking count: Int, from words: inout ArraySlice<UInt32>, shape: [Int]) {
    self.init(words.prefix(count).map { Float(bitPattern: $0) }, shape: shape)
    words = words.dropFirst(count)
  }
}
