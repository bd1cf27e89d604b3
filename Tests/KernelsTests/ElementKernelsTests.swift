import KernelInterface
import Testing

/// Kernels over elements, channels and pixels, for every length around one and two vectors: the sets are held to plain
/// arithmetic and to each other.
@Suite("Elementwise kernels of each kernel set")
struct ElementKernelsTests {
  static let lengths = Array(1...35) + [48, 63, 64, 65, 130]

  /// Runs `body` with every set and expects the same bits.
  private func same(_ what: String, _ body: (KernelTable) -> [Float]) {
    let all = KernelSetCase.all.map { body($0.table).bits }
    #expect(all.allSatisfy { $0 == all[0] }, "\(what)")
  }

  /// A kernel from arrays to one array.
  private func run(_ count: Int, _ body: (Target) -> Void) -> [Float] {
    let y = Floats(count: count)
    body(y.target)
    #expect(y.isIntact)
    return y.values
  }

  @Test("Arithmetic is that of the elements", arguments: KernelSetCase.all)
  func arithmetic(set: KernelSetCase) {
    let kernels = set.table.elementwise
    for n in Self.lengths {
      let (a, b) = (Floats(random: n, 1), Floats(random: n, 2))
      #expect(
        run(n) { kernels.addScaled(n, a.source, b.source, scale: 0.3, into: $0) }
          == zip(a.values, b.values).map { ($0 + $1) * 0.3 })
      #expect(run(n) { kernels.scale(n, a.source, by: 1.7, into: $0) } == a.values.map { $0 * 1.7 })
      #expect(
        run(n) { kernels.combine(n, a.source, 0.2, b.source, 3, into: $0) }
          == zip(a.values, b.values).map { ($1 * 3).addingProduct($0, 0.2) })
      #expect(run(n) { kernels.relu(n, a.source, into: $0) } == a.values.map { max($0, 0) })
      let isFinite = kernels.allFinite(n, a.source)
      #expect(isFinite)
      for place in [0, n / 2, n - 1] {
        for bad in [Float.nan, .infinity, -.infinity] {
          let c = Floats(a.values)
          c.target[place] = bad
          let isFinite = kernels.allFinite(n, c.source)
          #expect(!isFinite)
        }
      }
      let silu = run(n) { kernels.silu(n, a.source, into: $0) }
      for (x, y) in zip(a.values, silu) { #expect(abs(y - x / (1 + exponential(-x))) < 1e-6 * max(1, abs(x))) }
    }
  }

  /// e^x by its series, to double precision.
  private func exponential(_ x: Float) -> Float {
    var (term, sum) = (1.0, 1.0)
    for k in 1..<60 {
      term *= Double(abs(x)) / Double(k)
      sum += term
    }
    return Float(x < 0 ? 1 / sum : sum)
  }

  @Test("All sets give the same bits")
  func agreement() {
    for n in Self.lengths {
      let (a, b, rows) = (Floats(random: n, 3), Floats(random: n, 4), Floats(random: 5 * n, 5))
      same("silu \(n)") { set in run(n) { set.elementwise.silu(n, a.source, into: $0) } }
      same("gradient of silu \(n)") { set in
        run(n) { set.elementwise.siluGradient(n, a.source, b.source, into: $0) }
      }
      same("finish \(n)") { set in
        run(5 * n) {
          set.elementwise.finish(
            rows: 5, columns: n, rows.source, bias: a.source, residual: rows.source, scale: 0.7, into: $0)
        }
      }
      same("column sums \(n)") { set in
        let sums = Floats(a.values)
        set.elementwise.addColumnSums(rows: 5, columns: n, rows.source, stride: n, to: sums.target)
        return sums.values
      }
      same("dropout \(n)") { set in
        run(n) { set.dropout.apply(n, a.source, key: 0xABCD_EF01_2345, first: 77, probability: 0.4, into: $0) }
      }
      same("Adam \(n)") { set in
        let (p, m, v, average) = (
          Floats(a.values), Floats(b.values), Floats(b.values.map { $0 * $0 }), Floats(b.values)
        )
        let adam = AdamCoefficients(
          beta1: 0.9, beta2: 0.999, stepSize: 1e-2, rootCorrection: 1.3, epsilon: 1e-8, gradientLimit: 0.5)
        set.optimizer.adam(
          adam, n, parameter: p.target, gradient: a.source, firstMoment: m.target, secondMoment: v.target,
          average: (average.target, 0.9))
        #expect(p.isIntact && m.isIntact && v.isIntact && average.isIntact)
        return p.values + m.values + v.values + average.values
      }
      same("resampling \(n)") { set in
        let x = Floats(random: 6 * 4 * n, 6)
        let shape = ResamplingShape(
          height: 6, width: 4, channels: n, outWidth: 2, taps: [0.1, 0.4, 0.4, 0.1], padding: 1)
        return run(3 * 2 * n) { set.resampling.reduce(shape, rows: 0..<3, x.source, into: $0) }
      }
      same("pooling \(n)") { set in
        let x = Floats(random: 5 * 6 * n, 7)
        let shape = PoolingShape(
          height: 5, width: 6, channels: n, inputPixel: n, outputPixel: n, stride: 1, padding: 1)
        return run(5 * 6 * n) { set.pooling.maximum(shape, rows: 0..<5, x.source, into: $0) }
          + run(5 * 6 * n) { set.pooling.rectifiedAverage(shape, rows: 0..<5, x.source, into: $0) }
          + run(n) { set.pooling.mean(pixels: 30, channels: n, x.source, into: $0) }
      }
      same("group norm \(n)") { set in normalized(set, channels: n) }
    }
  }

  private func normalized(_ set: KernelTable, channels: Int) -> [Float] {
    let pixels = 37
    let (x, dy) = (Floats(random: pixels * channels, 8), Floats(random: pixels * channels, 9))
    let (gain, offset) = (Floats(random: channels, 10), Floats(random: channels, 11))
    let scratch = Floats(count: 2 * channels)
    var sums = [Double](repeating: 0, count: 4 * channels)
    let dz = Floats(count: pixels * channels)
    sums.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      set.groupNorm.statistics(
        pixels: pixels, channels: channels, x.source, sums: base, squares: base + channels, scratch: scratch.target)
      set.groupNorm.reduceGradient(
        pixels: pixels, channels: channels, x.source, dy.source, xScale: gain.source, xOffset: offset.source,
        activation: (offset.source, gain.source), dz: dz.target, sumDz: base + 2 * channels,
        sumDzX: base + 3 * channels, scratch: scratch.target)
    }
    #expect(dz.isIntact && scratch.isIntact)
    return sums.map(Float.init) + dz.values
      + run(pixels * channels) {
        set.groupNorm.apply(
          pixels: pixels, channels: channels, x.source, gain: gain.source, offset: offset.source, silu: true, into: $0,
          channels)
      }
  }

  @Test("Softmax is that of the definition", arguments: KernelSetCase.all)
  func softmax(set: KernelSetCase) {
    for n in Self.lengths {
      let x = Floats(random: 3 * n, 12)
      let expected = x.values.map { Double($0) * 0.8 }
      let reciprocals = Floats(count: 3)
      set.table.softmax.exponentials(
        rows: 3, columns: n, scale: 0.8, x.target, stride: n, reciprocals: reciprocals.target)
      #expect(x.isIntact && reciprocals.isIntact)
      for row in 0..<3 {
        let weights = expected[row * n..<(row + 1) * n].map { Double(exponential(Float($0))) }
        let sum = weights.reduce(0, +)
        for (column, weight) in weights.enumerated() {
          let found = Double(x.source[row * n + column] * reciprocals.source[row])
          #expect(abs(found - weight / sum) < 1e-6)
        }
      }
    }
  }
}
