import COpenBLAS
import Compute
import Diagnostics
import Foundation
import Records
import Scoring
import Stage

/// What the processor does at its best, which kernels were chosen, and how near each kind of layer comes to that.
struct ProcessorReport {
  /// One kind of layer.
  private struct Layer {
    let name: String
    /// Operations or bytes a second.
    let rate: Double
    let unit: String
    /// The share of what the processor does at its best, as a whole or of one part.
    let share: Double
    let of: String
  }

  private let threads: Int
  private let blasRate: Double
  private let copyRate: Double
  private let layers: [Layer]

  /// Measures; the best of several runs counts, since anything else that runs only slows them.
  init(threads: Int, repetitions: Int) throws {
    self.threads = threads
    func best(_ body: () -> Double) throws -> Double {
      try (0..<max(repetitions, 3)).map { _ in
        try Interruption.check()
        return body()
      }.max() ?? 0
    }
    let blas = try best(Self.blasRate)
    let copy = try best(KernelProfile.copyRate)
    (blasRate, copyRate) = (blas, copy)
    var layers: [Layer] = []
    for (side, channels, images) in [(32, 128, 4), (32, 256, 4), (16, 256, 8), (8, 256, 16)] {
      let shape = ConvolutionShape(
        images: images, height: side, width: side, inputs: channels, outputs: channels, kernel: 3, padding: 1)
      let runs = try (0..<max(repetitions, 3)).map { _ in
        try Interruption.check()
        return KernelProfile.winograd(shape)
      }
      let product = runs.map(\.productRate).max() ?? 0
      let name = "\(side)x\(side)x\(channels) 3x3"
      layers.append(
        Layer(name: name + ", products", rate: product, unit: "FLOP/s", share: product / blas, of: "sgemm, 1 thread"))
      let direct = runs.map(\.directRate).max() ?? 0
      layers.append(
        Layer(name: name + ", whole", rate: direct, unit: "FLOP/s", share: direct / blas, of: "sgemm, 1 thread, direct")
      )
    }
    let product = try best(KernelProfile.productRate)
    layers.append(
      Layer(name: "1024x1024x1024 product", rate: product, unit: "FLOP/s", share: product / blas, of: "sgemm, 1 thread")
    )
    // The other layers run as networks run them, on all threads.
    let x = Tensor(Philox(seed: 1).normals(8 * 32 * 32 * 256, stream: (0, 0)), shape: [8, 32, 32, 256])
    let channel = Tensor(shape: [256], repeating: 0.5)
    func layer(_ name: String, flops: Double, _ body: () -> Void) throws -> Layer {
      let rate = try best { flops / Measurement.seconds(body) }
      return Layer(
        name: name, rate: rate, unit: "FLOP/s", share: rate / (blas * Double(threads)), of: "sgemm, \(threads) threads")
    }
    func layer(_ name: String, bytes: Double, _ body: () -> Void) throws -> Layer {
      let rate = try best { bytes / Measurement.seconds(body) }
      return Layer(name: name, rate: rate, unit: "B/s", share: rate / copy, of: "a copy by 1 thread")
    }
    let pointwise = Tensor(shape: [1, 1, 256, 256], repeating: 0.01)
    let qkv = Tensor(Philox(seed: 2).normals(8 * 16 * 16 * 768, stream: (0, 0)), shape: [8, 16, 16, 768])
    layers.append(
      try layer("32x32x256 1x1", flops: 2 * Double(8 * 1024 * 256 * 256)) { _ = convolution(x, weight: pointwise) })
    layers.append(
      try layer("16x16x256 attention", flops: 4 * Double(8 * 256 * 256 * 256)) { _ = attention(qkv, heads: 1) })
    layers.append(
      try layer("32x32x256 group norm + SiLU", bytes: 8 * Double(x.count)) {
        _ = groupNorm(x, weight: channel, bias: channel, groups: 32, epsilon: 1e-6, silu: true)
      })
    layers.append(
      try layer("32x32x256 downsample", bytes: 5 * Double(x.count)) { _ = downsample(x, ResamplingFilter([1, 1])) })
    layers.append(try layer("32x32x256 add", bytes: 12 * Double(x.count)) { _ = addScaled(x, x) })
    self.layers = layers
  }

  /// Operations a second of OpenBLAS on large float32 matrices, one thread.
  private static func blasRate() -> Double {
    let n = 1024
    let a = [Float](repeating: 0.5, count: n * n)
    var product = [Float](repeating: 0, count: n * n)
    let size = blasint(n)
    let seconds = Measurement.seconds {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1, a, size, a, size, 0, &product, size)
    }
    return 2 * Double(n * n * n) / seconds
  }

  var json: JSONValue {
    [
      "kernels": .string(LinearAlgebra.kernels), "threads": .int(threads), "sgemm_flops": .double(blasRate),
      "copy_bytes_per_second": .double(copyRate),
      "layers": .array(
        layers.map {
          [
            "layer": .string($0.name), "rate": .double($0.rate), "unit": .string($0.unit), "share": .double($0.share),
            "of": .string($0.of),
          ]
        }),
    ]
  }

  var table: String {
    func row(_ name: String, _ value: String, _ rest: String = "") -> String {
      name.padding(toLength: 32, withPad: " ", startingAt: 0)
        + (rest.isEmpty ? value : value.padding(toLength: 16, withPad: " ", startingAt: 0) + rest)
    }
    let head = [
      row("kernels", LinearAlgebra.kernels), row("threads", "\(threads)"),
      row("sgemm, 1 thread", String(format: "%.1f GFLOP/s", blasRate / 1e9), "OpenBLAS, 1024x1024x1024"),
      row("copy, 1 thread", String(format: "%.1f GB/s", copyRate / 1e9), "read and written bytes"), "",
    ]
    return
      (head
      + layers.map {
        row(
          $0.name, String(format: "%.1f G", $0.rate / 1e9) + $0.unit,
          String(format: "%.0f %% of ", 100 * $0.share) + $0.of)
      }).joined(separator: "\n")
  }
}
