/// SplitMix64 (Steele et al. 2014): the same seed gives the same mutations.
public struct FuzzRandom {
  private var state: UInt64

  /// - Parameter seed: any number.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number from 0 up to `limit`, excluded; 0 where the limit is 0.
  mutating func below(_ limit: Int) -> Int { limit > 0 ? Int(next() % UInt64(limit)) : 0 }

  /// True once in `n` times.
  mutating func oneIn(_ n: Int) -> Bool { below(n) == 0 }

  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }

  mutating func pick<C: RandomAccessCollection>(_ items: C) -> C.Element {
    items[items.index(items.startIndex, offsetBy: below(items.count))]
  }

  /// A number at which parsers tend to err: around powers of two, and small ones.
  mutating func integer() -> Int {
    switch below(6) {
    case 0: below(17)
    case 1: -1 - below(3)
    case 2: (1 << below(63)) + below(3) - 1
    case 3: Int.max - below(3)
    case 4: Int(Int32.max) + below(4) - 2
    default: Int(truncatingIfNeeded: next() >> UInt64(below(64)))
    }
  }
}

/// Damage that knows nothing of the format.
enum ByteMutation {
  static func apply(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    var result = bytes
    for _ in 0...random.below(4) {
      guard !result.isEmpty else { return random.bytes(random.below(16)) }
      let place = random.below(result.count)
      switch random.below(6) {
      case 0: result[place] = random.byte()
      case 1: result[place] ^= 1 << random.below(8)
      case 2: result[place] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
      case 3: result.removeSubrange(place..<min(result.count, place + 1 + random.below(8)))
      case 4: result.insert(contentsOf: random.bytes(1 + random.below(8)), at: place)
      default: result = Array(result.prefix(place))
      }
    }
    return result
  }
}

extension FixedWidthInteger {
  /// The bytes of the number, lowest first.
  var bytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}

extension [UInt8] {
  /// The little-endian number of `count` bytes at `place`; 0 beyond the end.
  func number(at place: Int, count: Int) -> Int {
    guard place >= 0, count <= 8, place <= self.count - count else { return 0 }
    var value: UInt64 = 0
    for i in 0..<count { value |= UInt64(self[place + i]) << UInt64(8 * i) }
    return Int(truncatingIfNeeded: value)
  }

  /// Writes a little-endian number of `count` bytes.
  mutating func set(_ value: Int, at place: Int, count: Int) {
    guard place >= 0, place <= self.count - count else { return }
    for i in 0..<count { self[place + i] = UInt8(truncatingIfNeeded: value >> (8 * i)) }
  }

  /// Whether `other` stands at `place`.
  func has(_ other: [UInt8], at place: Int) -> Bool {
    place >= 0 && place <= count - other.count && self[place..<(place + other.count)].elementsEqual(other)
  }
}
