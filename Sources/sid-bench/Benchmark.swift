import Compute
import Diagnostics
import Foundation
import Records
import Scoring
import Stage

/// Work that can be repeated: every repetition does the same amount of it.
protocol Benchmark {
  /// Images in one repetition.
  var batch: Int { get }
  /// Floating-point operations of one repetition by direct convolutions; nil where nobody counted them.
  var flops: Double? { get }
  /// Does the work once.
  mutating func run() throws
  /// Changes the number of images.
  mutating func resize(batch: Int) throws
  /// Writes inputs and results to an HDF5 file, so that another program can be held to them.
  func writeOutputs(to path: String) throws
}

/// The times of some repetitions.
struct Measurement {
  /// Seconds of each repetition, sorted.
  let seconds: [Double]

  /// Runs `body` several times.
  /// - Throws: what `body` throws; `Interrupted` where the process was asked to stop.
  init(of repetitions: Int, _ body: () throws -> Void) throws {
    var seconds: [Double] = []
    for _ in 0..<repetitions {
      try Interruption.check()
      seconds.append(try Self.seconds(body))
    }
    try Interruption.check()
    self.seconds = seconds.sorted()
  }

  /// The time of one run.
  static func seconds(_ body: () throws -> Void) rethrows -> Double {
    let started = ContinuousClock.now
    try body()
    return max((ContinuousClock.now - started) / .seconds(1), 1e-9)
  }

  /// The middle one, or the mean of both in the middle.
  var median: Double { (seconds[(seconds.count - 1) / 2] + seconds[seconds.count / 2]) / 2 }

  var json: JSONValue {
    ["median": .double(median), "min": .double(seconds[0]), "max": .double(seconds[seconds.count - 1])]
  }
}

/// What a report says about its circumstances.
struct Labels {
  let network: String
  let work: String
  let threads: Int

  /// What computes.
  var kernels: String { work == WorkName.frechet.rawValue ? LinearAlgebra.kernels : KernelSet.name }
}

/// The result of a measurement.
struct BenchmarkReport {
  let labels: Labels
  let benchmark: any Benchmark
  let measurement: Measurement

  private var imagesPerSecond: Double { Double(benchmark.batch) / measurement.median }
  private var gigaflops: Double? { benchmark.flops.map { $0 / measurement.median / 1e9 } }

  var json: JSONValue {
    var fields: [String: JSONValue] = [
      "network": .string(labels.network), "work": .string(labels.work), "batch": .int(benchmark.batch),
      "images_per_second": .double(imagesPerSecond), "seconds": measurement.json,
      "repetitions": .int(measurement.seconds.count), "peak_bytes": .int(Machine.peakMemoryBytes),
      "kernels": .string(labels.kernels), "threads": .int(labels.threads),
    ]
    if let gigaflops { fields["gflops"] = .double(gigaflops) }
    return .object(fields)
  }

  var table: String {
    var rows = [
      ("network", labels.network), ("work", "\(labels.work), batch \(benchmark.batch)"),
      ("speed", String(format: "%.4g images/s, %.4g ms/image", imagesPerSecond, 1000 / imagesPerSecond)),
      (
        "seconds",
        String(
          format: "%.4g (%.4g to %.4g, %d repetitions)", measurement.median, measurement.seconds[0],
          measurement.seconds[measurement.seconds.count - 1], measurement.seconds.count)
      ),
      ("peak memory", formatBytes(Machine.peakMemoryBytes)),
      ("kernels", "\(labels.kernels), \(labels.threads) threads"),
    ]
    if let gigaflops { rows.insert(("direct FLOPs", String(format: "%.4g GFLOP/s", gigaflops)), at: 3) }
    return rows.map { $0.0.padding(toLength: 14, withPad: " ", startingAt: 0) + $0.1 }.joined(separator: "\n")
  }
}
