import Compute
import Foundation
import Testing

@Suite("Operations compute what they promise", .serialized)
struct OperationTests {
  /// y[n, oy, ox, o] by the definition, in double precision.
  static func directConvolution(_ x: Tensor, _ w: Tensor, padding: Int) -> [Double] {
    let (n, h, wd, ci) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let (k, co) = (w.shape[0], w.shape[3])
    let (oh, ow) = (h + 2 * padding - k + 1, wd + 2 * padding - k + 1)
    let (xv, wv) = (x.values, w.values)
    var y = [Double](repeating: 0, count: n * oh * ow * co)
    for b in 0..<n {
      for oy in 0..<oh {
        for ox in 0..<ow {
          for ky in 0..<k {
            for kx in 0..<k {
              let (iy, ix) = (oy + ky - padding, ox + kx - padding)
              guard (0..<h).contains(iy), (0..<wd).contains(ix) else { continue }
              for i in 0..<ci {
                let value = Double(xv[((b * h + iy) * wd + ix) * ci + i])
                for o in 0..<co {
                  y[((b * oh + oy) * ow + ox) * co + o] += value * Double(wv[((ky * k + kx) * ci + i) * co + o])
                }
              }
            }
          }
        }
      }
    }
    return y
  }

  @Test(
    "Convolution equals its definition for every odd shape",
    arguments: [
      [1, 1, 1, 1, 1, 3, 1], [2, 5, 3, 1, 32, 3, 1], [1, 9, 7, 3, 128, 3, 1], [1, 6, 6, 128, 3, 3, 1],
      [3, 4, 4, 12, 20, 1, 0],
      [2, 4, 5, 7, 9, 3, 2], [2, 5, 5, 4, 4, 3, 0], [2, 16, 16, 8, 8, 3, 1],
    ])
  func convolutionDefinition(s: [Int]) {
    let x = randomTensor([s[0], s[1], s[2], s[3]], 1)
    let w = randomTensor([s[5], s[5], s[3], s[4]], 2)
    let y = convolution(x, weight: w, padding: s[6])
    let expected = Self.directConvolution(x, w, padding: s[6])
    #expect(y.count == expected.count)
    let scale = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
    for (a, b) in zip(y.values, expected) { #expect(abs(Double(a) - b) < 2e-5 * max(scale, 1)) }
  }

  @Test("SiLU is accurate over the whole range and passes on what is no number")
  func siluAccuracy() {
    let points = stride(from: Float(-120), through: 120, by: 0.037).map { $0 } + [0, -0.0, 1e-20, -1e-20, 1e4, -1e4]
    let y = silu(Tensor(points, shape: [points.count])).values
    for (x, value) in zip(points, y) {
      let expected = Double(x) / (1 + exp(-Double(x)))
      #expect(
        abs(Double(value) - expected) <= 4e-7 * abs(expected) + 1e-33, "silu(\(x)) = \(value), \(expected) expected")
    }
    #expect(silu(Tensor([.nan], shape: [1])).values[0].isNaN)
  }

  /// The results of every operation on the same inputs, by name.
  static func everything(images: Range<Int>) -> [(String, Tensor)] {
    func cut(_ t: Tensor) -> Tensor { t.rows(images) }
    let x = cut(randomTensor([7, 8, 8, 12], 3))
    let dy = cut(randomTensor([7, 8, 8, 20], 4))
    let w = randomTensor([3, 3, 12, 20], 5)
    let (g, b) = (randomTensor([12], 6), randomTensor([12], 7))
    let rows = cut(randomTensor([7, 40], 8))
    let filter = ResamplingFilter([1, 3, 3, 1])
    let norm = groupNorm(x, weight: g, bias: b, groups: 3, epsilon: 1e-6, silu: true)
    return [
      ("convolution", convolution(x, weight: w, bias: randomTensor([20], 9), residual: dy, scale: 0.7)),
      ("1x1 convolution", convolution(x, weight: randomTensor([1, 1, 12, 24], 10))),
      ("input gradient", convolutionInputGradient(dy, weight: w)),
      ("linear", linear(rows, weight: randomTensor([40, 33], 11), bias: randomTensor([33], 12))),
      ("group norm", norm.y),
      (
        "group norm gradient",
        groupNormGradient(x, weight: g, bias: b, groups: 3, silu: true, statistics: norm.statistics, x).x
      ),
      ("attention", attention(cut(randomTensor([7, 4, 4, 48], 13)), heads: 2)),
      ("downsample", downsample(x, filter)), ("upsample", upsample(x, filter)),
    ]
  }

  static func sums() -> [Tensor] {
    let x = randomTensor([9, 16, 16, 6], 20)
    let dy = randomTensor([9, 16, 16, 10], 21)
    let (rows, outputs) = (randomTensor([600, 72], 22), randomTensor([600, 100], 23))
    return [
      convolutionWeightGradient(x, dy, kernel: 3), sumOverPixels(dy), sumOverPixels(outputs),
      linearWeightGradient(rows, outputs),
      linear(rows, weight: randomTensor([72, 100], 24), bias: sumOverPixels(outputs)),
      convolutionWeightGradient(randomTensor([9, 16, 16, 72], 25), randomTensor([9, 16, 16, 40], 26), kernel: 1),
    ]
  }

  @Test("Every bit is the same for any number of threads")
  func threadIndependence() {
    defer { Threads.use(2) }
    Threads.use(1)
    let (one, sums) = (Self.everything(images: 0..<7), Self.sums())
    for threads in [2, 3, 8, 32, 64] {
      Threads.use(threads)
      for (a, b) in zip(one, Self.everything(images: 0..<7)) {
        #expect(a.1.values == b.1.values, "\(a.0) on \(threads) threads")
      }
      for (a, b) in zip(sums, Self.sums()) { #expect(a.values == b.values) }
    }
  }

  @Test("An image's bits do not depend on the batch around it", arguments: [0..<1, 3..<4, 2..<5, 6..<7])
  func batchIndependence(images: Range<Int>) {
    for (whole, part) in zip(Self.everything(images: 0..<7), Self.everything(images: images)) {
      #expect(whole.1.rows(images).values == part.1.values, "\(whole.0)")
    }
  }

  @Test("Dropout keeps the promised share, scales it, and does not depend on how a batch is cut")
  func dropoutMask() {
    let x = Tensor(shape: [10, 1000], repeating: 1)
    let whole = dropout(x, probability: 0.3, key: 42)
    let kept = whole.values.filter { $0 != 0 }
    #expect(abs(Double(kept.count) / 10_000 - 0.7) < 0.02)
    #expect(kept.allSatisfy { abs($0 - 1 / 0.7) < 1e-6 })
    #expect(dropout(x.rows(4..<9), probability: 0.3, key: 42, firstImage: 4).values == whole.rows(4..<9).values)
    #expect(dropout(x, probability: 0.3, key: 43).values != whole.values)
  }

  @Test("Group norm is exact for images far from zero")
  func groupNormOffset() {
    let noise = randomTensor([1, 32, 32, 4], 30)
    let far = Tensor(noise.values.map { $0 + 1000 }, shape: noise.shape)
    let one = Tensor(shape: [4], repeating: 1)
    let zero = Tensor(shape: [4])
    let y = groupNorm(far, weight: one, bias: zero, groups: 1, epsilon: 1e-6, silu: false).y
    let centered = far.values.map { Double($0) - 1000 }
    let mean = centered.reduce(0, +) / Double(centered.count)
    let deviation = (centered.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(centered.count) + 1e-6).squareRoot()
    for (a, b) in zip(y.values, centered) { #expect(abs(Double(a) - (b - mean) / deviation) < 3e-4) }
  }
}
