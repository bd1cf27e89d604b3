import Compute
import Testing

/// Convolutions in every mode, for shapes that leave parts of tiles, panels and vectors empty.
@Suite("Convolution kernels", .serialized)
struct ConvolutionTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let mode: KernelMode
    let images: Int, height: Int, width: Int, inputs: Int, outputs: Int, kernel: Int, padding: Int
    var testDescription: String {
      "\(mode) \(images)x\(height)x\(width), \(inputs) -> \(outputs), kernel \(kernel), padding \(padding)"
    }
    var x: Tensor { randomTensor([images, height, width, inputs], 1) }
    var weight: Tensor { randomTensor([kernel, kernel, inputs, outputs], 2) }
    var outShape: [Int] { [images, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1, outputs] }
    var dy: Tensor { randomTensor(outShape, 3) }
  }

  static let cases = KernelMode.allCases.flatMap { mode in
    [
      [1, 1, 1, 1, 1, 3, 1], [2, 5, 3, 1, 32, 3, 1], [1, 9, 7, 3, 128, 3, 1], [1, 6, 6, 128, 3, 3, 1],
      [3, 4, 4, 12, 20, 1, 0], [2, 4, 5, 7, 9, 3, 2], [2, 5, 5, 4, 4, 3, 0], [2, 16, 16, 8, 8, 3, 1],
      [3, 32, 32, 16, 24, 3, 1], [5, 8, 8, 40, 33, 3, 1], [7, 2, 2, 24, 8, 3, 1], [2, 13, 10, 17, 50, 3, 1],
      [2, 4, 5, 7, 9, 1, 1], [2, 6, 5, 7, 9, 3, 3], [1, 4, 4, 16, 24, 3, 4], [70, 4, 4, 8, 16, 3, 1],
      [3, 7, 9, 5, 6, 5, 2], [1, 8, 8, 300, 280, 3, 1], [4, 3, 3, 18, 260, 1, 0],
    ].map {
      Case(
        mode: mode, images: $0[0], height: $0[1], width: $0[2], inputs: $0[3], outputs: $0[4], kernel: $0[5],
        padding: $0[6])
    }
  }

  /// Largest difference over the root of the mean square of what is expected.
  private func error(_ y: Tensor, _ expected: [Double]) -> Double {
    let scale = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
    return zip(y.values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / max(scale, 1e-30)
  }

  /// Rounding error that a mode may have, relative to the root of the mean square of the result.
  private func tolerance(_ c: Case) -> Double {
    switch c.mode {
    case .fast: 4e-5
    case .accurate: 1e-5
    case .exact: 5e-6
    }
  }

  @Test("Results, gradients of the input and gradients of the weights equal their definitions", arguments: cases)
  func definition(c: Case) {
    KernelSet.with(c.mode) {
      let (x, weight, dy) = (c.x, c.weight, c.dy)
      let y = OperationTests.directConvolution(x, weight, padding: c.padding)
      #expect(error(convolution(x, weight: weight, padding: c.padding), y) < tolerance(c))

      // The gradient of the input is a convolution by the turned kernel with inputs and outputs exchanged.
      let taps = c.kernel * c.kernel
      let size = c.inputs * c.outputs
      let w = weight.values
      var turned = [Float](repeating: 0, count: w.count)
      for tap in 0..<taps {
        for i in 0..<c.inputs {
          for o in 0..<c.outputs {
            turned[tap * size + o * c.inputs + i] = w[(taps - 1 - tap) * size + i * c.outputs + o]
          }
        }
      }
      let adjoint = Tensor(turned, shape: [c.kernel, c.kernel, c.outputs, c.inputs])
      let dx = OperationTests.directConvolution(dy, adjoint, padding: c.kernel - 1 - c.padding)
      #expect(error(convolutionInputGradient(dy, weight: weight, padding: c.padding), dx) < tolerance(c))

      let dw = convolutionWeightGradient(x, dy, kernel: c.kernel, padding: c.padding)
      #expect(error(dw, weightGradient(c, x, dy)) < tolerance(c))
    }
  }

  private func weightGradient(_ c: Case, _ x: Tensor, _ dy: Tensor) -> [Double] {
    let (xv, gv) = (x.values, dy.values)
    let (oh, ow) = (c.outShape[1], c.outShape[2])
    var result = [Double](repeating: 0, count: c.kernel * c.kernel * c.inputs * c.outputs)
    for n in 0..<c.images {
      for oy in 0..<oh {
        for ox in 0..<ow {
          for ky in 0..<c.kernel {
            for kx in 0..<c.kernel {
              let (iy, ix) = (oy + ky - c.padding, ox + kx - c.padding)
              guard (0..<c.height).contains(iy), (0..<c.width).contains(ix) else { continue }
              for i in 0..<c.inputs {
                let value = Double(xv[((n * c.height + iy) * c.width + ix) * c.inputs + i])
                let row = ((ky * c.kernel + kx) * c.inputs + i) * c.outputs
                for o in 0..<c.outputs {
                  result[row + o] += value * Double(gv[((n * oh + oy) * ow + ox) * c.outputs + o])
                }
              }
            }
          }
        }
      }
    }
    return result
  }

  @Test("Bias, residual and scale follow the sums", arguments: KernelMode.allCases)
  func epilogue(mode: KernelMode) {
    KernelSet.with(mode) {
      for (inputs, outputs, kernel) in [(12, 20, 3), (5, 48, 1), (9, 3, 3)] {
        let x = randomTensor([3, 6, 7, inputs], 1)
        let weight = randomTensor([kernel, kernel, inputs, outputs], 2)
        let (bias, residual) = (randomTensor([outputs], 3), randomTensor([3, 6, 7, outputs], 4))
        let plain = convolution(x, weight: weight).values
        let whole = convolution(x, weight: weight, bias: bias, residual: residual, scale: 0.7).values
        let (b, r) = (bias.values, residual.values)
        for i in plain.indices {
          #expect(abs(whole[i] - (plain[i] + b[i % outputs] + r[i]) * 0.7) < 2e-6 * max(1, abs(plain[i])))
        }
      }
    }
  }

  @Test(
    "An image's bytes depend neither on its neighbours nor on the number of threads", arguments: KernelMode.allCases)
  func independence(mode: KernelMode) {
    let threads = Threads.count
    defer { Threads.use(threads) }
    KernelSet.with(mode) {
      for (side, inputs, outputs, kernel) in [
        (16, 3, 32, 3), (16, 32, 32, 3), (8, 32, 64, 3), (4, 72, 40, 3), (2, 20, 20, 3), (32, 8, 280, 3),
        (8, 64, 36, 1),
      ] {
        let weight = randomTensor([kernel, kernel, inputs, outputs], 2)
        let x = randomTensor([23, side, side, inputs], 3)
        let dy = randomTensor([23, side, side, outputs], 4)
        Threads.use(1)
        let y = convolution(x, weight: weight)
        let dx = convolutionInputGradient(dy, weight: weight)
        let dw = convolutionWeightGradient(x, dy, kernel: kernel)
        for count in [2, 3, 8, 32, 64] {
          Threads.use(count)
          #expect(convolution(x, weight: weight).values == y.values)
          #expect(convolutionInputGradient(dy, weight: weight).values == dx.values)
          #expect(convolutionWeightGradient(x, dy, kernel: kernel).values == dw.values)
          for some in [0..<1, 5..<6, 20..<23, 3..<12] {
            #expect(convolution(x.rows(some), weight: weight).values == y.rows(some).values)
            #expect(convolutionInputGradient(dy.rows(some), weight: weight).values == dx.rows(some).values)
          }
        }
      }
      let (x, weight) = (randomTensor([23, 70], 5), randomTensor([70, 33], 6))
      let y = linear(x, weight: weight)
      for row in [0, 7, 22] {
        #expect(linear(x.rows(row..<row + 1), weight: weight).values == y.rows(row..<row + 1).values)
      }
    }
  }

  @Test("Prepared weights follow the weights, and the limit holds")
  func preparedWeights() {
    let x = randomTensor([1, 8, 8, 16], 1)
    var weight = randomTensor([3, 3, 16, 16], 2)
    #expect(weight.preparedBytes == 0)
    let first = convolution(x, weight: weight)
    #expect(weight.preparedBytes == 36 * (16 * KernelSet.table.paddedColumns(16) + 16) * 4)
    let copy = weight
    weight.withUnsafeMutableBufferPointer { for i in $0.indices { $0[i] *= 2 } }
    #expect(convolution(x, weight: weight).values == scaled(first, by: 2).values)
    #expect(convolution(x, weight: copy).values == first.values)
    #expect(weight.preparedBytes > 0 && copy.preparedBytes > 0)
    // In place, with prepared weights of its own.
    weight.withUnsafeMutableBufferPointer { for i in $0.indices { $0[i] *= 2 } }
    #expect(convolution(x, weight: weight).values == scaled(first, by: 4).values)

    let limit = WeightCache.limitBytes
    defer { WeightCache.limitBytes = limit }
    WeightCache.limitBytes = 0
    let uncached = randomTensor([3, 3, 16, 16], 2)
    #expect(convolution(x, weight: uncached).values == first.values)
    #expect(uncached.preparedBytes == 0)
  }

  @Test(
    "The plan takes the tiles that multiply least, whatever the batch",
    arguments: [
      (32, ConvolutionPlan.winograd(.four)), (8, .winograd(.four)), (4, .winograd(.four)), (2, .winograd(.two)),
      (1, .product),
    ])
  func plan(side: Int, expected: ConvolutionPlan) {
    for images in [1, 2, 64] {
      let shape = ConvolutionShape(
        images: images, height: side, width: side, inputs: 64, outputs: 64, kernel: 3, padding: 1)
      #expect(ConvolutionPlan(shape, mode: .fast) == expected)
      #expect(ConvolutionPlan(shape, mode: .exact) == .tapwise)
    }
  }
}
