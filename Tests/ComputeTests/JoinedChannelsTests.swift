import Compute
import Testing

@Suite("Images joined in their channels are read where they are", .serialized)
struct JoinedChannelsTests {
  /// Images, height, width, and the channels of both parts.
  static let shapes = [
    [1, 1, 1, 1, 3], [2, 5, 3, 36, 20], [3, 8, 8, 48, 16], [1, 33, 31, 64, 128], [17, 8, 8, 20, 44],
    [2, 16, 16, 260, 252],
  ]

  struct Parts {
    let left: Tensor, right: Tensor
    let copy: Tensor

    init(_ s: [Int]) {
      left = randomTensor([s[0], s[1], s[2], s[3]], 300, scale: 2)
      right = randomTensor([s[0], s[1], s[2], s[4]], 301)
      let joined = concatenateChannels(left, right)
      copy = Tensor(joined.values, shape: joined.shape)
    }

    /// What `operation` makes of the joined images has the bits of what it makes of their copy.
    func expectEqual(readsBoth: Bool, _ operation: (Tensor) -> [Tensor], _ message: Comment) {
      let joined = concatenateChannels(left, right)
      let results = operation(joined)
      #expect(joined.isDeferred == readsBoth, message)
      for (a, b) in zip(results, operation(copy)) { #expect(a.shape == b.shape && a.values == b.values, message) }
      // Nothing has become of the parts, nor is anything lost by reading them apart first.
      #expect(joined.values == copy.values, message)
    }
  }

  @Test("Normalization and 1x1 convolution have the bits of a copy, and make none", arguments: KernelMode.allCases)
  func forward(mode: KernelMode) {
    KernelSet.with(mode) {
      for s in Self.shapes {
        let (parts, channels) = (Parts(s), s[3] + s[4])
        let (weight, bias) = (randomTensor([channels], 302), randomTensor([channels], 303))
        let shift = randomTensor([s[0], channels], 304)
        for silu in [false, true] {
          parts.expectEqual(
            readsBoth: true,
            {
              let (y, statistics) = groupNorm(
                $0, shift: shift, weight: weight, bias: bias, groups: channels / 4, epsilon: 1e-5, silu: silu)
              return [y, statistics.mean, statistics.reciprocalDeviation, statistics.centeredChannelMean]
            }, "group norm of \(s)")
        }
        for outputs in [5, 64] {
          let matrix = randomTensor([1, 1, channels, outputs], 305)
          let residual = randomTensor([s[0], s[1], s[2], outputs], 306)
          let addend = randomTensor([outputs], 307)
          parts.expectEqual(
            readsBoth: true,
            { [convolution($0, weight: matrix, bias: addend, residual: residual, scale: 0.5)] }, "1x1 of \(s)")
        }
      }
    }
  }

  @Test("What needs the channels beside each other copies them")
  func others() {
    for s in Self.shapes {
      let (parts, channels) = (Parts(s), s[3] + s[4])
      let (weight, bias) = (randomTensor([channels], 308), randomTensor([channels], 309))
      let dy = randomTensor(parts.copy.shape, 310)
      parts.expectEqual(
        readsBoth: false, { [convolution($0, weight: randomTensor([3, 3, channels, 8], 311))] }, "3x3 of \(s)")
      parts.expectEqual(
        readsBoth: false, { [convolutionWeightGradient($0, dy, kernel: 1)] }, "weight gradient of \(s)")
      parts.expectEqual(
        readsBoth: false,
        { x in
          let statistics = groupNorm(x, weight: weight, bias: bias, groups: channels / 4, epsilon: 1e-5, silu: true)
            .statistics
          let gradients = groupNormGradient(
            x, weight: weight, bias: bias, groups: channels / 4, silu: true, statistics: statistics, dy)
          return [gradients.x, gradients.weight, gradients.bias]
        }, "gradient of the norm of \(s)")
      parts.expectEqual(readsBoth: false, { [addScaled($0, dy)] }, "sum of \(s)")
      // Joined once more, the joined are a part like any other.
      parts.expectEqual(readsBoth: true, { [concatenateChannels($0, dy)] }, "\(s) again")
    }
  }

  @Test("Threads that read at once see one copy")
  func threads() {
    let parts = Parts([4, 32, 32, 60, 68])
    for _ in 0..<20 {
      let joined = concatenateChannels(parts.left, parts.right)
      Threads.forEach(16) { _ in
        joined.withUnsafeBufferPointer { all in
          parts.copy.withUnsafeBufferPointer { #expect(all[all.count - 1] == $0[$0.count - 1] && all[61] == $0[61]) }
        }
      }
      #expect(!joined.isDeferred && joined.values == parts.copy.values)
    }
  }
}
