import Compute
import Foundation
import Testing

/// Resampling against the formula in double precision, and the copies that rearrange tensors.
@Suite("Resampling and rearranging equal their definitions", .serialized)
struct ResamplingTests {
  static let shapes = [
    [1, 2, 2, 1], [2, 6, 8, 5], [3, 4, 6, 16], [1, 10, 12, 40], [2, 32, 32, 96], [1, 64, 64, 33],
  ]
  static let filters: [[Float]] = [[1, 1], [1, 3, 3, 1], [1, 2, 5, 5, 2, 1]]

  /// y[oy, ox] = sum of f[i] f[j] x[2 oy + i - p, 2 ox + j - p], or its adjoint.
  static func reference(_ x: Tensor, _ taps: [Float], down: Bool) -> [Double] {
    let (n, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let sum = Double(taps.reduce(0, +))
    let f = taps.map { Double($0) / sum * (down ? 1 : 2) }
    let p = (taps.count - 1) / 2
    let values = x.values
    let (oh, ow) = down ? (h / 2, w / 2) : (2 * h, 2 * w)
    var y = [Double](repeating: 0, count: n * oh * ow * c)
    for b in 0..<n {
      for sy in 0..<(down ? oh : h) {
        for sx in 0..<(down ? ow : w) {
          for i in f.indices {
            for j in f.indices {
              let (ly, lx) = (2 * sy + i - p, 2 * sx + j - p)
              guard (0..<(down ? h : oh)).contains(ly), (0..<(down ? w : ow)).contains(lx) else { continue }
              let (from, to) = down ? ((ly, lx), (sy, sx)) : ((sy, sx), (ly, lx))
              for channel in 0..<c {
                y[((b * oh + to.0) * ow + to.1) * c + channel] +=
                  f[i] * f[j] * Double(values[((b * h + from.0) * w + from.1) * c + channel])
              }
            }
          }
        }
      }
    }
    return y
  }

  @Test("Down and up by every filter, and gradients are adjoint", arguments: shapes)
  func definition(s: [Int]) {
    Threads.use(2)
    let x = randomTensor(s, 400)
    for taps in Self.filters {
      let filter = ResamplingFilter(taps)
      let (down, up) = (downsample(x, filter), upsample(x, filter))
      #expect(down.shape == [s[0], s[1] / 2, s[2] / 2, s[3]] && up.shape == [s[0], 2 * s[1], 2 * s[2], s[3]])
      for (y, expected) in [(down, Self.reference(x, taps, down: true)), (up, Self.reference(x, taps, down: false))] {
        #expect(zip(y.values, expected).allSatisfy { abs(Double($0) - $1) <= 1e-6 }, "\(s) \(taps)")
      }
      let (a, b) = (randomTensor(down.shape, 401), randomTensor(up.shape, 402))
      let first = dot(downsampleGradient(a, filter, inputShape: s), x)
      let second = dot(upsampleGradient(b, filter, inputShape: s), x)
      #expect(abs(first - dot(a, down)) <= 1e-4 * Double(x.count).squareRoot())
      #expect(abs(second - dot(b, up)) <= 1e-4 * Double(x.count).squareRoot())
    }
  }

  @Test("Every bit is the same for any number of threads and any batch around an image", arguments: shapes)
  func independence(s: [Int]) {
    defer { Threads.use(2) }
    let x = randomTensor(s, 403)
    let last = s[0] - 1..<s[0]
    for taps in Self.filters {
      let filter = ResamplingFilter(taps)
      func all(_ x: Tensor) -> [Tensor] {
        let large = [x.shape[0], 2 * s[1], 2 * s[2], s[3]]
        let small = [x.shape[0], s[1] / 2, s[2] / 2, s[3]]
        return [
          downsample(x, filter), upsample(x, filter), downsampleGradient(x, filter, inputShape: large),
          upsampleGradient(x, filter, inputShape: small),
        ]
      }
      Threads.use(1)
      let one = all(x)
      for threads in [3, 8, 32, 64] {
        Threads.use(threads)
        for (a, b) in zip(one, all(x)) { #expect(a.values == b.values) }
      }
      for (a, b) in zip(one, all(x.rows(last))) { #expect(a.rows(last).values == b.values) }
    }
  }

  @Test("Transposes, joined and cut channels are the elements at their new places")
  func rearranging() {
    for s in [[1, 1, 1, 1], [2, 3, 5, 7], [3, 17, 33, 3], [1, 40, 70, 65], [2, 64, 64, 130]] {
      let (x, y) = (randomTensor(s, 404), randomTensor([s[0], s[1], s[2], 9], 405))
      let (values, others) = (x.values, y.values)
      let (pixels, c) = (s[1] * s[2], s[3])
      let transposed = x.nchw.values
      #expect(
        values.indices.allSatisfy { i in
          let (n, p, channel) = (i / c / pixels, i / c % pixels, i % c)
          return transposed[(n * c + channel) * pixels + p] == values[i]
        })
      #expect(x.nchw.nhwc.values == values)
      let joined = concatenateChannels(x, y)
      let joinedValues = joined.values
      #expect(values.indices.allSatisfy { joinedValues[$0 / c * (c + 9) + $0 % c] == values[$0] })
      #expect(others.indices.allSatisfy { joinedValues[$0 / 9 * (c + 9) + c + $0 % 9] == others[$0] })
      #expect(channels(joined, 0..<c).values == values && channels(joined, c..<c + 9).values == others)
    }
  }

  @Test("A dropout mask is SplitMix64 of key and index")
  func dropoutMask() {
    let (key, probability): (UInt64, Float) = (0xFEDC_BA98_7654_3210, 0.37)
    let x = randomTensor([3, 1237], 406)
    let y = dropout(x, probability: probability, key: key, firstImage: 2).values
    let threshold = UInt64(Double(probability) * 4_294_967_296)
    for (i, value) in x.values.enumerated() {
      var z = key &+ UInt64(2 * 1237 + i) &* 0x9E37_79B9_7F4A_7C15
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      let bits = (z ^ (z >> 31)) >> 32
      #expect(y[i] == (bits >= threshold ? value * (1 / (1 - probability)) : 0))
    }
  }
}
