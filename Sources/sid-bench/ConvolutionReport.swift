import ArgumentParser
import Compute
import Diagnostics
import Foundation
import Records
import Stage

/// The shape of one convolution: stride 1, zero padding.
struct ConvolutionCase: ExpressibleByArgument, CustomStringConvertible {
  let height: Int, width: Int
  let inputs: Int, outputs: Int
  let kernel: Int

  /// The shapes that most of the work of CIFAR-10 and of 64x64 networks is spent on, and the odd ones at their ends.
  static let common = [
    "32x32x256->256", "32x32x512->256", "16x16x256->256", "16x16x512->256", "8x8x256->256", "8x8x512->256",
    "64x64x128->128", "32x32x3->128", "32x32x256->3", "16x16x256->768/1", "32x32x512->256/1",
  ].compactMap { ConvolutionCase(argument: $0) }

  /// Reads HxWxIN->OUT or HxWxIN->OUT/KERNEL.
  init?(argument: String) {
    let sides = argument.split(separator: "->", omittingEmptySubsequences: false)
    guard sides.count == 2 else { return nil }
    let tail = sides[1].split(separator: "/", omittingEmptySubsequences: false)
    let numbers = (sides[0].split(separator: "x", omittingEmptySubsequences: false) + tail).map { Int($0) ?? 0 }
    let kernel = tail.count == 2 ? numbers[numbers.count - 1] : 3
    guard numbers.count == 3 + tail.count, (1...2).contains(tail.count),
      numbers.allSatisfy({ (1...8192).contains($0) }),
      [1, 3].contains(kernel)
    else { return nil }
    (height, width, inputs, outputs) = (numbers[0], numbers[1], numbers[2], numbers[3])
    self.kernel = kernel
  }

  /// The form that `init(argument:)` reads.
  var description: String { "\(height)x\(width)x\(inputs)->\(outputs)" + (kernel == 3 ? "" : "/\(kernel)") }
}

/// Convolutions by shape, in all three directions.
struct ConvolutionReport {
  /// One shape, and the times of its directions by name.
  private struct Row {
    let shape: ConvolutionCase
    let flops: Double
    let plan: ConvolutionPlan
    let directions: [(name: String, measurement: Measurement)]
  }

  private let rows: [Row]
  private let batch: Int
  private let threads: Int

  /// Measures every shape.
  init(cases: [ConvolutionCase], batch: Int, repetitions: Int, threads: Int) throws {
    self.batch = batch
    self.threads = threads
    rows = try cases.map { try Self.measure($0, batch: batch, repetitions: repetitions) }
  }

  private static func measure(_ c: ConvolutionCase, batch: Int, repetitions: Int) throws -> Row {
    func random(_ shape: [Int], _ stream: UInt32) -> Tensor {
      Tensor(Philox(seed: 0).normals(shape.reduce(1, *), stream: (0, stream)), shape: shape)
    }
    let x = random([batch, c.height, c.width, c.inputs], 0)
    let dy = random([batch, c.height, c.width, c.outputs], 1)
    let weight = random([c.kernel, c.kernel, c.inputs, c.outputs], 2)
    let bias = random([c.outputs], 3)
    let directions: [(String, () -> Tensor)] = [
      ("forward", { convolution(x, weight: weight, bias: bias) }),
      ("input_gradient", { convolutionInputGradient(dy, weight: weight) }),
      ("weight_gradient", { convolutionWeightGradient(x, dy, kernel: c.kernel) }),
    ]
    let shape = ConvolutionShape(
      images: batch, height: c.height, width: c.width, inputs: c.inputs, outputs: c.outputs, kernel: c.kernel,
      padding: c.kernel / 2)
    return Row(
      shape: c, flops: Double(shape.flops), plan: ConvolutionPlan(shape, mode: KernelSet.mode),
      directions: try directions.map { name, run in
        _ = run()
        return (name, try Measurement(of: repetitions) { _ = run() })
      })
  }

  var json: JSONValue {
    [
      "work": "conv", "batch": .int(batch), "threads": .int(threads), "kernels": .string(KernelSet.name),
      "peak_bytes": .int(Machine.peakMemoryBytes),
      "convolutions": .array(
        rows.map { row in
          var fields: [String: JSONValue] = [
            "shape": .string(row.shape.description), "kernel": .string(row.plan.description),
          ]
          for (name, measurement) in row.directions {
            fields[name] = ["seconds": measurement.json, "gflops": .double(row.flops / measurement.median / 1e9)]
          }
          return .object(fields)
        }),
    ]
  }

  var table: String {
    func column(_ text: String) -> String { String(repeating: " ", count: max(0, 16 - text.count)) + text }
    let title =
      "GFLOP/s, direct".padding(toLength: 22, withPad: " ", startingAt: 0)
      + column("forward") + column("input gradient") + column("weight gradient") + "  kernel"
    let lines = rows.map { row in
      row.shape.description.padding(toLength: 22, withPad: " ", startingAt: 0)
        + row.directions.map { column("\((row.flops / $0.measurement.median / 1e8).rounded() / 10)") }.joined()
        + "  \(row.plan)"
    }
    return ([title] + lines + ["batch \(batch), \(threads) threads, \(KernelSet.name)"]).joined(separator: "\n")
  }
}
