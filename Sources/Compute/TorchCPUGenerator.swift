import Foundation

/// The random numbers that PyTorch draws on a CPU: MT19937 (Matsumoto & Nishimura 1998) and the library's own ways
/// from words to uniforms, normals and integers.
///
/// Uniforms and integers are exact. Normals agree with PyTorch to a few units in the last place, since its vectorized
/// logarithm and sine are not reproduced.
public struct TorchCPUGenerator: Sendable {
  private static let size = 624
  private var state: [UInt32]
  private var position = TorchCPUGenerator.size
  /// The second normal of the last single draw.
  private var heldNormal: Double?

  /// - Parameter seed: only its low 32 bits count, as in PyTorch.
  public init(seed: UInt64) {
    state = Array(repeating: UInt32(truncatingIfNeeded: seed), count: Self.size)
    for i in 1..<Self.size {
      state[i] = 1_812_433_253 &* (state[i - 1] ^ (state[i - 1] >> 30)) &+ UInt32(i)
    }
  }

  /// The next word.
  public mutating func word() -> UInt32 {
    if position == Self.size { advance() }
    var y = state[position]
    position += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C_5680
    y ^= (y << 15) & 0xEFC6_0000
    return y ^ (y >> 18)
  }

  /// `count` uniforms in [0, 1) with 24 bits each: `torch.rand`.
  public mutating func uniforms(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float(word() & 0xFF_FFFF) * 0x1p-24 }
  }

  /// `count` integers in 0..<bound: `torch.randint`.
  /// - Precondition: 0 < bound < 2^32; PyTorch draws larger ranges from two words.
  public mutating func integers(_ count: Int, below bound: Int) -> [Int] {
    precondition(bound > 0 && bound < 1 << 32, "integers below \(bound)")
    return (0..<count).map { _ in Int(word()) % bound }
  }

  /// `count` standard normals: `torch.randn`.
  ///
  /// 16 or more are made from blocks of 16 uniforms, fewer one at a time from uniforms of 53 bits.
  public mutating func normals(_ count: Int) -> [Float] {
    guard count >= 16 else { return (0..<count).map { _ in Float(normal()) } }
    var values = uniforms(count)
    for start in stride(from: 0, through: count - 16, by: 16) { Self.transform(&values, at: start) }
    if count % 16 != 0 {
      // The last 16 elements are drawn anew, those that the last whole block has made included.
      values.replaceSubrange(count - 16..<count, with: uniforms(16))
      Self.transform(&values, at: count - 16)
    }
    return values
  }

  /// `count` standard normals in double precision: `torch.randn` with `dtype=torch.float64`.
  public mutating func doubleNormals(_ count: Int) -> [Double] {
    guard count >= 16 else { return (0..<count).map { _ in normal() } }
    var values = (0..<count).map { _ in uniform53() }
    for start in stride(from: 0, through: count - 16, by: 16) { Self.transform(&values, at: start) }
    if count % 16 != 0 {
      values.replaceSubrange(count - 16..<count, with: (0..<16).map { _ in uniform53() })
      Self.transform(&values, at: count - 16)
    }
    return values
  }

  private static func transform(_ values: inout [Double], at start: Int) {
    for j in start..<start + 8 {
      let radius = (-2 * log(1 - values[j])).squareRoot()
      let angle = 2 * Double.pi * values[j + 8]
      values[j] = radius * cos(angle)
      values[j + 8] = radius * sin(angle)
    }
  }

  /// Box and Muller's method on 16 uniforms: the first eight give radii, the last eight angles.
  private static func transform(_ values: inout [Float], at start: Int) {
    for j in start..<start + 8 {
      let radius = (-2 * log(Double(1 - values[j]))).squareRoot()
      let angle = 2 * Double.pi * Double(values[j + 8])
      values[j] = Float(radius * cos(angle))
      values[j + 8] = Float(radius * sin(angle))
    }
  }

  /// One normal; every second call returns the one held back by the call before.
  private mutating func normal() -> Double {
    if let held = heldNormal {
      heldNormal = nil
      return held
    }
    let first = uniform53()
    let second = uniform53()
    let radius = (-2 * log1p(-second)).squareRoot()
    heldNormal = radius * sin(2 * Double.pi * first)
    return radius * cos(2 * Double.pi * first)
  }

  /// A uniform of 53 bits from two words, the first one high.
  private mutating func uniform53() -> Double {
    let high = UInt64(word())
    let low = UInt64(word())
    return Double((high << 32 | low) & ((1 << 53) - 1)) * 0x1p-53
  }

  private mutating func advance() {
    for i in 0..<Self.size {
      let y = (state[i] & 0x8000_0000) | (state[(i + 1) % Self.size] & 0x7FFF_FFFF)
      state[i] = state[(i + 397) % Self.size] ^ (y >> 1) ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
    }
    position = 0
  }
}
