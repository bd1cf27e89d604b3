import Compute
import Testing

/// Convolutions of networks that are not trained: kernels and strides of every kind, between slices of channels.
@Suite("Fused convolutions", .serialized)
struct FusedConvolutionTests {
  struct Case: Sendable {
    var images = 2
    let size: (Int, Int)
    let inputs: Int, outputs: Int
    let kernel: (Int, Int)
    var stride = 1
    var padding = (vertical: 0, horizontal: 0)
  }

  static let cases = [
    Case(size: (9, 7), inputs: 19, outputs: 24, kernel: (3, 3)),
    Case(size: (8, 9), inputs: 16, outputs: 33, kernel: (3, 3), padding: (1, 1)),
    Case(size: (9, 9), inputs: 8, outputs: 48, kernel: (3, 3), stride: 2),
    Case(size: (11, 10), inputs: 3, outputs: 16, kernel: (3, 3), stride: 2),
    Case(images: 3, size: (17, 17), inputs: 20, outputs: 40, kernel: (1, 7), padding: (0, 3)),
    Case(images: 3, size: (17, 17), inputs: 20, outputs: 40, kernel: (7, 1), padding: (3, 0)),
    Case(size: (8, 8), inputs: 40, outputs: 9, kernel: (1, 3), padding: (0, 1)),
    Case(size: (8, 8), inputs: 40, outputs: 9, kernel: (3, 1), padding: (1, 0)),
    Case(size: (13, 6), inputs: 12, outputs: 20, kernel: (5, 5), padding: (2, 2)),
    Case(size: (5, 6), inputs: 300, outputs: 20, kernel: (1, 1)),
    Case(size: (1, 5), inputs: 4, outputs: 4, kernel: (7, 1), padding: (3, 0)),
  ]

  /// The definition in double precision, rectified, [N, H, W, outputs].
  private func definition(_ c: Case, _ x: Tensor, first: Int, _ weight: Tensor, _ bias: Tensor) -> [Double] {
    let (height, width, pixel) = (x.shape[1], x.shape[2], x.shape[3])
    let outHeight = (height + 2 * c.padding.vertical - c.kernel.0) / c.stride + 1
    let outWidth = (width + 2 * c.padding.horizontal - c.kernel.1) / c.stride + 1
    let (xs, ws, bs) = (x.values, weight.values, bias.values)
    var result: [Double] = []
    for place in 0..<c.images * outHeight * outWidth {
      let (n, oy, ox) = (place / outWidth / outHeight, place / outWidth % outHeight, place % outWidth)
      var sums = bs.map(Double.init)
      for ky in 0..<c.kernel.0 {
        for kx in 0..<c.kernel.1 {
          let (iy, ix) = (oy * c.stride + ky - c.padding.vertical, ox * c.stride + kx - c.padding.horizontal)
          guard (0..<height).contains(iy), (0..<width).contains(ix) else { continue }
          for input in 0..<c.inputs {
            let value = Double(xs[((n * height + iy) * width + ix) * pixel + first + input])
            let row = ((ky * c.kernel.1 + kx) * c.inputs + input) * c.outputs
            for output in 0..<c.outputs { sums[output] += value * Double(ws[row + output]) }
          }
        }
      }
      result += sums.map { max($0, 0) }
    }
    return result
  }

  @Test("Results equal the definition, from and to channels of larger tensors", arguments: KernelMode.allCases, cases)
  func slices(mode: KernelMode, c: Case) {
    let x = randomTensor([c.images, c.size.0, c.size.1, c.inputs + 11], 4)
    let weight = randomTensor([c.kernel.0, c.kernel.1, c.inputs, c.outputs], 5)
    let bias = randomTensor([c.outputs], 6)
    let fused = FusedConvolution(weight: weight, bias: bias, stride: c.stride, padding: c.padding)
    let size = fused.outputSize(height: c.size.0, width: c.size.1)
    let y = Tensor(shape: [c.images, size.height, size.width, c.outputs + 6], repeating: 7)
    KernelSet.with(mode) { fused(ChannelSlice(x, 8..<8 + c.inputs), into: [.init(ChannelSlice(y, 5..<5 + c.outputs))]) }
    let expected = definition(c, x, first: 8, weight, bias)
    let scale = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
    let values = y.values
    var largest = 0.0
    for (index, value) in expected.enumerated() {
      let pixel = index / c.outputs * (c.outputs + 6)
      largest = max(largest, abs(Double(values[pixel + 5 + index % c.outputs]) - value))
    }
    #expect(largest < (mode == .fast ? 4e-5 : 1e-5) * scale)
    // What lies beside the slice stays.
    let rest = values.indices.filter { !(5..<5 + c.outputs).contains($0 % (c.outputs + 6)) }
    #expect(rest.allSatisfy { values[$0] == 7 })
  }

  @Test("Outputs go to several tensors, rectified or not")
  func parts() {
    let x = randomTensor([2, 5, 6, 24], 7)
    let (weight, bias) = (randomTensor([1, 1, 24, 40], 8), randomTensor([40], 9))
    let fused = FusedConvolution(weight: weight, bias: bias)
    let (first, second) = (Tensor(shape: [2, 5, 6, 9]), Tensor(shape: [2, 5, 6, 31]))
    fused(ChannelSlice(x), into: [.init(ChannelSlice(first), rectifies: false), .init(ChannelSlice(second))])
    let whole = convolution(x, weight: weight, bias: bias, padding: 0).values
    let (firstValues, secondValues) = (first.values, second.values)
    for pixel in 0..<60 {
      for channel in 0..<40 {
        let value = whole[pixel * 40 + channel]
        let found = channel < 9 ? firstValues[pixel * 9 + channel] : secondValues[pixel * 31 + channel - 9]
        #expect(abs(found - (channel < 9 ? value : max(value, 0))) < 1e-5)
      }
    }
  }

  @Test("Windows at the edge of an image leave out what lies outside")
  func pooling() {
    let x = randomTensor([2, 5, 7, 11], 10)
    for kind in [PoolingKind.maximum(stride: 2, padding: 0), .maximum(stride: 1, padding: 1), .rectifiedAverage] {
      let isMaximum = if case .maximum = kind { true } else { false }
      let (stride, padding) = if case .maximum(let s, let p) = kind { (s, p) } else { (1, 1) }
      let (height, width) = (kind.outputSide(5), kind.outputSide(7))
      let y = Tensor(shape: [2, height, width, 9])
      kind(ChannelSlice(x, 2..<10), into: ChannelSlice(y, 1..<9))
      let (pixels, results) = (x.values, y.values)
      for index in 0..<2 * height * width * 8 {
        let (n, oy, ox, c) = (index / 8 / width / height, index / 8 / width % height, index / 8 % width, index % 8)
        var window: [Float] = []
        for iy in oy * stride - padding..<oy * stride - padding + 3 where (0..<5).contains(iy) {
          for ix in ox * stride - padding..<ox * stride - padding + 3 where (0..<7).contains(ix) {
            window.append(pixels[((n * 5 + iy) * 7 + ix) * 11 + 2 + c])
          }
        }
        let mean = window.reduce(0, +) / Float(window.count)
        let expected = isMaximum ? window.max() ?? 0 : max(mean, 0)
        #expect(abs(results[index / 8 * 9 + 1 + c] - expected) < 1e-6)
      }
    }
  }
}
