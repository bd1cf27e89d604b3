import Compute

/// The endless walk of EDM's sampler over the indices of a data set.
public struct ShuffledWalk: Sendable {
  private let count: Int
  private let seed: UInt64
  private let window: Int
  private var generator: TorchCPUGenerator
  private var order: [Int]
  private var position = 0

  /// - Parameters:
  ///   - count: images in the data set.
  ///   - seed: of numpy's RandomState.
  public init(count: Int, seed: UInt64) {
    (self.count, self.seed) = (count, seed)
    window = Int((Double(count) / 2).rounded(.toNearestOrEven))
    generator = TorchCPUGenerator(seed: seed)
    order = Array(0..<count)
    for i in stride(from: count - 1, through: 1, by: -1) { order.swapAt(i, integer(through: i)) }
  }

  /// The indices at `range` of the walk; going back starts over from its beginning.
  public mutating func indices(_ range: Range<Int>) -> [Int] {
    if range.lowerBound < position { self = ShuffledWalk(count: count, seed: seed) }
    while position < range.lowerBound { _ = next() }
    return range.map { _ in next() }
  }

  private mutating func next() -> Int {
    let i = position % count
    let index = order[i]
    if window >= 2 {
      let j = ((i - integer(through: window - 1)) % count + count) % count
      order.swapAt(i, j)
    }
    position += 1
    return index
  }

  /// A number in 0...limit as numpy draws it: masked words until one fits.
  private mutating func integer(through limit: Int) -> Int {
    if limit == 0 { return 0 }
    let mask = UInt32.max >> UInt32(UInt32(limit).leadingZeroBitCount)
    while true {
      let value = Int(generator.word() & mask)
      if value <= limit { return value }
    }
  }
}
