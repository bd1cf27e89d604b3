import Compute

/// What carries messages between ranks.
public protocol Messages: Sendable {
  /// The number of this rank.
  var index: Int { get }
  /// How many there are.
  var count: Int { get }
  /// Sends one message to each rank and takes one from each, in their order. All ranks call it, the same number of times and
  /// for the same kind of words.
  ///
  /// A rank's message to itself comes back as it is. Lengths need not be equal.
  func exchange<Word: MessageWord>(_ outgoing: [[Word]]) throws -> [[Word]]
}

/// What messages are made of: four bytes each.
public protocol MessageWord: BitwiseCopyable, Sendable, ExpressibleByIntegerLiteral {}
extension UInt32: MessageWord {}
extension Float: MessageWord {}

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
  public init(_ carrier: Carrier, bucket: Int = messageBucket) { (self.carrier, self.bucket) = (carrier, bucket) }

  /// The number of this rank.
  public var index: Int { carrier.index }
  /// How many there are.
  public var count: Int { carrier.count }

  /// What every rank says, on every rank.
  public func tell(_ mine: [UInt8]) throws -> [[UInt8]] {
    try toAll(mine.map(UInt32.init)).map { $0.map { UInt8(truncatingIfNeeded: $0) } }
  }

  /// The numbers of all ranks, on rank 0.
  public func collect(_ mine: [Float]) throws -> [[Float]] {
    let all = try carrier.exchange(toFirst(mine))
    return index == 0 ? all : []
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
    var parts = all.map { sums in sums.parts.map { $0.with(gradients: Array(repeating: nil, count: shapes.count)) } }
    for parameters in buckets(shapes) {
      let incoming = try collect(index == 0 ? [] : numbers(of: mine, parameters.map { ($0, nil) }))
      for rank in incoming.indices where rank > 0 {
        var numbers = incoming[rank][...]
        for part in parts[rank].indices {
          for parameter in parameters where all[rank].parts[part].has(parameter) {
            parts[rank][part].gradients[parameter] = Tensor(taking: shapes[parameter] ?? [], from: &numbers)
          }
        }
      }
    }
    guard index == 0 else { return mine }
    return GradientSum(
      joining: parts.enumerated().map { $0 == 0 ? mine : GradientSum(mine.cut, unchecked: $1) })
  }

  private func toAll<Word: MessageWord>(_ message: [Word]) throws -> [[Word]] {
    try carrier.exchange(Array(repeating: message, count: count))
  }

  private func toFirst<Word: MessageWord>(_ message: [Word]) -> [[Word]] {
    (0..<count).map { $0 == 0 ? message : [] }
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

  /// The gradients of all partial sums, one behind the other, of each parameter the given elements or all.
  private func numbers(of sum: GradientSum, _ wanted: [(parameter: Int, range: Range<Int>?)]) -> [Float] {
    var numbers: [Float] = []
    numbers.reserveCapacity(
      sum.parts.count
        * wanted.reduce(0) { $0 + ($1.range?.count ?? sum.parts.first?.gradients[$1.parameter]?.count ?? 0) })
    for part in sum.parts {
      for (parameter, range) in wanted {
        part.gradients[parameter]?.withUnsafeBufferPointer { numbers.append(contentsOf: $0[range ?? 0..<$0.count]) }
      }
    }
    return numbers
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
    let ranges = slice(index)
    var incoming = try carrier.exchange(
      (0..<count).map { rank in
        numbers(of: mine, zip(parameters, slice(rank)).map { ($0, $1) })
      })
    let sums = all.indices.map { rank in
      var numbers = incoming[rank][...]
      incoming[rank] = []
      return GradientSum(
        mine.cut,
        unchecked: all[rank].parts.map { part in
          part.with(
            gradients: zip(parameters, ranges).map { parameter, range in
              part.has(parameter) ? Tensor(taking: [range.count], from: &numbers) : nil
            })
        })
    }
    guard let whole = GradientSum(joining: sums).whole else { preconditionFailure("a batch that is not complete") }
    let result = numbers(
      of: GradientSum(mine.cut, unchecked: [whole]), parameters.indices.map { ($0, nil) })
    var flat: [Float] = []
    flat.reserveCapacity(total)
    for slice in try toAll(result) { flat += slice }
    var rest = flat[...]
    return parameters.map { Tensor(taking: shapes[$0] ?? [], from: &rest) }
  }
}

/// The most numbers that are summed over ranks at a time, unless said otherwise: 64 MiB.
public let messageBucket = 16 << 20

/// Which partial sums a rank has, without their numbers.
private struct PartialSums {
  struct Part {
    let microbatches: Range<Int>
    let objective: Double
    let countedImages: Int
    let sums: [Double]
    /// Which parameters have a gradient.
    let mask: [Bool]

    func has(_ parameter: Int) -> Bool { mask[parameter] }

    func with(gradients: [Tensor?]) -> GradientSum.Part {
      GradientSum.Part(
        microbatches: microbatches, gradients: gradients, objective: objective, countedImages: countedImages,
        sums: sums)
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
      words += [
        UInt32(part.microbatches.lowerBound), UInt32(part.microbatches.upperBound), UInt32(part.countedImages),
        UInt32(part.sums.count),
      ]
      for number in [part.objective] + part.sums {
        words += [UInt32(truncatingIfNeeded: number.bitPattern), UInt32(truncatingIfNeeded: number.bitPattern >> 32)]
      }
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
      let (first, end, counted, sums) = (next(), next(), next(), next())
      func number() -> Double { Double(bitPattern: UInt64(next()) | UInt64(next()) << 32) }
      parts.append(
        Part(
          microbatches: first..<end, objective: number(), countedImages: counted,
          sums: (0..<sums).map { _ in number() }, mask: (0..<parameters).map { _ in next() == 1 }))
    }
  }

  /// The shape of each parameter; nil where no rank has a gradient of it.
  static func shapes(_ all: [PartialSums]) -> [[Int]?] {
    (0..<(all.map(\.shapes.count).max() ?? 0)).map { parameter in
      all.lazy.compactMap { parameter < $0.shapes.count ? $0.shapes[parameter] : nil }.first
    }
  }
}

extension Tensor {
  /// Takes the next elements of a message.
  fileprivate init(taking shape: [Int], from numbers: inout ArraySlice<Float>) {
    let count = shape.reduce(1, *)
    self.init(Array(numbers.prefix(count)), shape: shape)
    numbers = numbers.dropFirst(count)
  }
}
