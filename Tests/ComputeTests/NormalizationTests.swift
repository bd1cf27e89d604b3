import Compute
import Foundation
import Testing

/// Group normalization and its gradient against the formula in double precision.
@Suite("Group normalization equals its definition", .serialized)
struct NormalizationTests {
  /// Shape of x, groups, and what surrounds the normalization.
  struct Case: Sendable {
    let shape: [Int]
    let groups: Int
    var isShifted = false
    var isModulated = false
    var silu = true
    var offset: Float = 0
  }

  static let cases = [
    Case(shape: [2, 3, 5, 12], groups: 3, isShifted: true),
    Case(shape: [1, 1, 1, 4], groups: 1),
    Case(shape: [3, 1, 1, 20], groups: 5, isModulated: true),
    Case(shape: [2, 7, 5, 36], groups: 9, isShifted: true, isModulated: true),
    Case(shape: [2, 33, 31, 64], groups: 16, isShifted: true),
    Case(shape: [17, 8, 8, 48], groups: 12, isModulated: true),
    Case(shape: [1, 40, 40, 128], groups: 32, isModulated: true, silu: false),
    Case(shape: [18, 24, 24, 160], groups: 32, isShifted: true),
    Case(shape: [2, 16, 16, 24], groups: 6, silu: false, offset: 100),
  ]

  struct Inputs {
    let x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor
    let shift: Tensor?, modulation: Tensor?

    init(_ c: Case) {
      let (images, channels) = (c.shape[0], c.shape[3])
      let noise = randomTensor(c.shape, 200)
      // Channels of different size and position.
      x = Tensor(noise.values.enumerated().map { $1 * Float(1 + $0 % channels % 3) + c.offset }, shape: c.shape)
      weight = randomTensor([channels], 201)
      bias = randomTensor([channels], 202)
      dy = randomTensor(c.shape, 203)
      shift = c.isShifted ? randomTensor([images, channels], 204) : nil
      modulation = c.isModulated ? randomTensor([images, 2 * channels], 205) : nil
    }

    func forward(_ c: Case, images: Range<Int>? = nil) -> (y: Tensor, statistics: GroupNormStatistics) {
      let part = images ?? 0..<c.shape[0]
      return groupNorm(
        x.rows(part), shift: shift?.rows(part), weight: weight, bias: bias, modulation: modulation?.rows(part),
        groups: c.groups, epsilon: 1e-5, silu: c.silu)
    }

    func backward(_ c: Case, images: Range<Int>? = nil) -> GroupNormGradients {
      let part = images ?? 0..<c.shape[0]
      return groupNormGradient(
        x.rows(part), shift: shift?.rows(part), weight: weight, bias: bias, modulation: modulation?.rows(part),
        groups: c.groups, silu: c.silu, statistics: forward(c, images: images).statistics, dy.rows(part))
    }
  }

  /// y and the gradients of every input, in double precision.
  static func reference(_ c: Case, _ inputs: Inputs) -> [(name: String, values: [Double])] {
    let (images, pixels, channels) = (c.shape[0], c.shape[1] * c.shape[2], c.shape[3])
    let width = channels / c.groups
    func doubles(_ t: Tensor?, _ count: Int) -> [Double] {
      t?.values.map(Double.init) ?? Array(repeating: 0, count: count)
    }
    let x = doubles(inputs.x, 0)
    let dy = doubles(inputs.dy, 0)
    let (weight, bias) = (doubles(inputs.weight, 0), doubles(inputs.bias, 0))
    let shift = doubles(inputs.shift, images * channels)
    let modulation = doubles(inputs.modulation, images * 2 * channels)
    var y = x
    var dx = x
    var dShift = shift.map { _ in 0.0 }
    var dModulation = modulation.map { _ in 0.0 }
    var (dWeight, dBias) = (weight.map { _ in 0.0 }, bias.map { _ in 0.0 })
    for n in 0..<images {
      for g in 0..<c.groups {
        let elements = (0..<pixels).flatMap { p in
          (g * width..<(g + 1) * width).map { (c: $0, i: (n * pixels + p) * channels + $0) }
        }
        let count = Double(elements.count)
        let mean = elements.reduce(0) { $0 + x[$1.i] + shift[n * channels + $1.c] } / count
        let variance =
          elements.reduce(0) { $0 + pow(x[$1.i] + shift[n * channels + $1.c] - mean, 2) } / count
        let r = 1 / (variance + 1e-5).squareRoot()
        var (first, second) = (0.0, 0.0)
        var normalizedGradients: [Double] = []
        for e in elements {
          let normalized = (x[e.i] + shift[n * channels + e.c] - mean) * r
          let scale = 1 + modulation[2 * n * channels + e.c]
          let inner = normalized * weight[e.c] + bias[e.c]
          let u = inner * scale + modulation[(2 * n + 1) * channels + e.c]
          let s = 1 / (1 + exp(-u))
          y[e.i] = c.silu ? u * s : u
          let dz = dy[e.i] * (c.silu ? s * (1 + u * (1 - s)) : 1)
          dModulation[2 * n * channels + e.c] += dz * inner
          dModulation[(2 * n + 1) * channels + e.c] += dz
          dWeight[e.c] += dz * scale * normalized
          dBias[e.c] += dz * scale
          let dNormalized = dz * scale * weight[e.c]
          normalizedGradients.append(dNormalized)
          first += dNormalized / count
          second += dNormalized * normalized / count
        }
        for (e, d) in zip(elements, normalizedGradients) {
          let normalized = (x[e.i] + shift[n * channels + e.c] - mean) * r
          dx[e.i] = r * (d - first - normalized * second)
          dShift[n * channels + e.c] += dx[e.i]
        }
      }
    }
    return [
      ("y", y), ("dx", dx), ("dWeight", dWeight), ("dBias", dBias), ("dShift", dShift), ("dModulation", dModulation),
    ]
  }

  @Test("Forward and backward, any number of pixels, channels and images", arguments: 0..<cases.count)
  func definition(index: Int) {
    Threads.use(2)
    let c = Self.cases[index]
    let inputs = Inputs(c)
    let gradients = inputs.backward(c)
    let computed = [
      inputs.forward(c).y, gradients.x, gradients.weight, gradients.bias, gradients.shift, gradients.modulation,
    ]
    for ((name, expected), tensor) in zip(Self.reference(c, inputs), computed) {
      if name == "dShift" && !c.isShifted || name == "dModulation" && !c.isModulated { continue }
      #expect(tensor.count == expected.count)
      let error = zip(tensor.values, expected).reduce(0) { $0 + pow(Double($1.0) - $1.1, 2) }.squareRoot()
      // One rounding of x far from zero is larger than those of the sums; a sum that is zero is as exact as its terms.
      let size = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let floor = name == "dShift" || name == "dx" ? 1e-6 * Double(c.shape[1] * c.shape[2]) : 0
      #expect(error <= 2e-6 * Double(1 + c.offset / 4) * size + floor, "\(c) \(name): \(error) of \(size)")
    }
  }

  @Test("Every bit is the same for any number of threads and any batch around an image", arguments: 0..<cases.count)
  func independence(index: Int) {
    defer { Threads.use(2) }
    let c = Self.cases[index]
    let inputs = Inputs(c)
    Threads.use(1)
    let (y, gradients) = (inputs.forward(c).y, inputs.backward(c))
    for threads in [2, 3, 8, 32, 64] {
      Threads.use(threads)
      let again = inputs.backward(c)
      #expect(inputs.forward(c).y.values == y.values)
      for (a, b) in [
        (again.x, gradients.x), (again.shift, gradients.shift), (again.weight, gradients.weight),
        (again.bias, gradients.bias), (again.modulation, gradients.modulation),
      ] { #expect(a.values == b.values) }
    }
    let last = c.shape[0] - 1..<c.shape[0]
    let alone = inputs.backward(c, images: last)
    #expect(inputs.forward(c, images: last).y.values == y.rows(last).values)
    #expect(alone.x.values == gradients.x.rows(last).values)
    #expect(alone.shift.values == gradients.shift.rows(last).values)
    #expect(alone.modulation.values == gradients.modulation.rows(last).values)
  }

  @Test("Statistics, and gain and offset of each channel, are the operation in parts")
  func parts() {
    let c = Self.cases[3]
    let inputs = Inputs(c)
    let whole = groupNorm(
      inputs.x, shift: inputs.shift, weight: inputs.weight, bias: inputs.bias, modulation: inputs.modulation,
      groups: c.groups, epsilon: 1e-5, silu: false)
    let statistics = groupNormStatistics(inputs.x, shift: inputs.shift, groups: c.groups, epsilon: 1e-5)
    #expect(statistics.mean.values == whole.statistics.mean.values)
    #expect(statistics.reciprocalDeviation.values == whole.statistics.reciprocalDeviation.values)
    let channels = c.shape[3]
    let (gain, offset) = groupNormAffine(
      statistics, channels: channels, shift: inputs.shift, weight: inputs.weight, bias: inputs.bias,
      modulation: inputs.modulation)
    let pixels = c.shape[1] * c.shape[2]
    let (g, o) = (gain.values, offset.values)
    for (i, x) in inputs.x.values.enumerated() {
      let position = i / (pixels * channels) * channels + i % channels
      #expect(o[position].addingProduct(x, g[position]) == whole.y.values[i])
    }
  }
}
