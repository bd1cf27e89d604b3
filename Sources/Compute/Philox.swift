import Foundation

/// Philox4x32-10 (Salmon et al. 2011): random numbers as a function of a key and a counter, without any state.
public struct Philox: Sendable {
  private let key: (UInt32, UInt32)

  /// - Parameter seed: the key.
  public init(seed: UInt64) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
  }

  /// Four random words.
  public func callAsFunction(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for round in 0..<10 {
      if round > 0 {
        k.0 &+= 0x9E37_79B9
        k.1 &+= 0xBB67_AE85
      }
      let p = UInt64(c[0]) &* 0xD251_1F53
      let q = UInt64(c[2]) &* 0xCD9E_8D57
      c = SIMD4(
        UInt32(truncatingIfNeeded: q >> 32) ^ c[1] ^ k.0, UInt32(truncatingIfNeeded: q),
        UInt32(truncatingIfNeeded: p >> 32) ^ c[3] ^ k.1, UInt32(truncatingIfNeeded: p))
    }
    return c
  }

  /// `count` standard normals of one stream, by Box and Muller's method.
  ///
  /// - Parameters:
  ///   - count: how many.
  ///   - stream: which stream; streams of one seed are independent of each other.
  public func normals(_ count: Int, stream: (UInt64, UInt32)) -> [Float] {
    WorkCount.note(functions: 2 * count)
    var result: [Float] = []
    result.reserveCapacity(count + 3)
    var block: UInt32 = 0
    while result.count < count {
      let words = self(counter(block, stream))
      for pair in 0..<2 {
        let radius = (-2 * log((Double(words[2 * pair]) + 0.5) * 0x1p-32)).squareRoot()
        let angle = 2 * Double.pi * (Double(words[2 * pair + 1]) + 0.5) * 0x1p-32
        result.append(Float(radius * cos(angle)))
        result.append(Float(radius * sin(angle)))
      }
      block &+= 1
    }
    return Array(result.prefix(count))
  }

  /// Standard normals of several streams, one after the other, on all threads.
  ///
  /// - Parameters:
  ///   - count: how many of each stream.
  ///   - streams: as those of `normals(_:stream:)`.
  /// - Returns: [streams, count].
  public func normals(_ count: Int, streams: [(UInt64, UInt32)]) -> Tensor {
    let counted = WorkCount.begin(.draws)
    defer { counted?.end() }
    return Tensor(rows: streams.count, length: count) { normals(count, stream: streams[$0]) }
  }

  /// `count` numbers of a stream, uniform in [0, 1) with 24 bits.
  public func uniforms(_ count: Int, stream: (UInt64, UInt32)) -> [Float] {
    (0..<count).map { index in
      Float(self(counter(UInt32(truncatingIfNeeded: index / 4), stream))[index % 4] >> 8) * 0x1p-24
    }
  }

  /// One number of a stream, uniform in [0, 1) with 24 bits.
  public func uniform(stream: (UInt64, UInt32)) -> Float {
    Float(self(counter(0, stream))[0] >> 8) * 0x1p-24
  }

  /// One integer of a stream, uniform in 0..<bound (to 2^-32).
  public func integer(below bound: Int, stream: (UInt64, UInt32)) -> Int {
    Int((UInt64(self(counter(0, stream))[0]) &* UInt64(bound)) >> 32)
  }

  private func counter(_ block: UInt32, _ stream: (UInt64, UInt32)) -> SIMD4<UInt32> {
    SIMD4(block, UInt32(truncatingIfNeeded: stream.0), UInt32(truncatingIfNeeded: stream.0 >> 32), stream.1)
  }
}
