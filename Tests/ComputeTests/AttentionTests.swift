import Compute
import Foundation
import Testing

/// Attention and its gradient against the formula in double precision.
@Suite("Attention equals its definition", .serialized)
struct AttentionTests {
  /// Images, height, width, channels, heads: one pixel, odd numbers, one block of queries and several.
  static let shapes = [
    [2, 1, 1, 8, 1], [3, 3, 5, 24, 2], [1, 9, 11, 20, 5], [2, 12, 12, 64, 1], [1, 20, 20, 128, 2], [1, 25, 23, 32, 4],
  ]

  /// y and the gradient of q, k and v, in double precision.
  static func reference(_ qkv: Tensor, _ dy: Tensor, heads: Int) -> (y: [Double], gradient: [Double]) {
    let (images, pixels, channels) = (qkv.shape[0], qkv.shape[1] * qkv.shape[2], qkv.shape[3] / 3)
    let width = channels / heads
    let (x, dy) = (qkv.values.map(Double.init), dy.values.map(Double.init))
    var y = dy.map { _ in 0.0 }
    var gradient = x.map { _ in 0.0 }
    for n in 0..<images {
      for head in 0..<heads {
        func position(_ pixel: Int, _ part: Int) -> Int { ((n * pixels + pixel) * 3 + part) * channels + head * width }
        for i in 0..<pixels {
          let (q, out) = (position(i, 0), (n * pixels + i) * channels + head * width)
          var weights = (0..<pixels).map { j in
            (0..<width).reduce(0.0) { $0 + x[q + $1] * x[position(j, 1) + $1] } / Double(width).squareRoot()
          }
          let peak = weights.max() ?? 0
          weights = weights.map { exp($0 - peak) }
          let sum = weights.reduce(0, +)
          weights = weights.map { $0 / sum }
          let dWeights = (0..<pixels).map { j in
            (0..<width).reduce(0.0) { $0 + dy[out + $1] * x[position(j, 2) + $1] }
          }
          let mean = zip(weights, dWeights).reduce(0) { $0 + $1.0 * $1.1 }
          for j in 0..<pixels {
            let d = weights[j] * (dWeights[j] - mean) / Double(width).squareRoot()
            let (k, v) = (position(j, 1), position(j, 2))
            for c in 0..<width {
              y[out + c] += weights[j] * x[v + c]
              gradient[v + c] += weights[j] * dy[out + c]
              gradient[q + c] += d * x[k + c]
              gradient[k + c] += d * x[q + c]
            }
          }
        }
      }
    }
    return (y, gradient)
  }

  static func inputs(_ s: [Int]) -> (qkv: Tensor, dy: Tensor) {
    (randomTensor([s[0], s[1], s[2], 3 * s[3]], 300), randomTensor([s[0], s[1], s[2], s[3]], 301))
  }

  @Test("Forward and backward", arguments: shapes)
  func definition(s: [Int]) {
    let (qkv, dy) = Self.inputs(s)
    let expected = Self.reference(qkv, dy, heads: s[4])
    for (name, computed, expected) in [
      ("y", attention(qkv, heads: s[4]), expected.y),
      ("gradient", attentionGradient(qkv, heads: s[4], dy), expected.gradient),
    ] {
      let size = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
      #expect(computed.count == expected.count)
      let error = zip(computed.values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
      #expect(error <= 1e-5 * max(size, 1), "\(s) \(name): \(error) of \(size)")
    }
  }

  @Test("Every bit is the same for any number of threads and any batch around an image", arguments: shapes)
  func independence(s: [Int]) {
    defer { Threads.use(2) }
    let (qkv, dy) = Self.inputs(s)
    Threads.use(1)
    let (y, gradient) = (attention(qkv, heads: s[4]), attentionGradient(qkv, heads: s[4], dy))
    for threads in [2, 3, 8, 32, 64] {
      Threads.use(threads)
      #expect(attention(qkv, heads: s[4]).values == y.values)
      #expect(attentionGradient(qkv, heads: s[4], dy).values == gradient.values)
    }
    let last = s[0] - 1..<s[0]
    #expect(attention(qkv.rows(last), heads: s[4]).values == y.rows(last).values)
    #expect(attentionGradient(qkv.rows(last), heads: s[4], dy.rows(last)).values == gradient.rows(last).values)
  }

  @Test("Large scores do not overflow, and what is no number is passed on")
  func extremes() {
    let large = scaled(randomTensor([1, 4, 4, 24], 302), by: 1e4)
    #expect(attention(large, heads: 1).isFinite)
    #expect(attentionGradient(large, heads: 1, randomTensor([1, 4, 4, 8], 303)).isFinite)
    var broken = randomTensor([1, 4, 4, 24], 304)
    broken.withUnsafeMutableBufferPointer { $0[3] = .nan }
    #expect(!attention(broken, heads: 1).isFinite)
  }
}
