import Compute
import Diagnostics
import Foundation
import Records
import Stage

/// Answers each line on standard input with one line of JSON, so that another program decides what runs when.
struct Server {
  let labels: Labels
  var benchmark: any Benchmark

  /// Answers until `quit` or the end of the input.
  mutating func answer() throws {
    say([
      "ready": true, "network": .string(labels.network), "work": .string(labels.work), "batch": .int(benchmark.batch),
      "threads": .int(labels.threads), "kernels": .string(labels.kernels),
    ])
    var input = InputLines()
    while let line = try input.next() {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      switch (words.first, words.dropFirst().first) {
      case (nil, _), ("run", nil):
        say(["seconds": .double(try Measurement.seconds { try benchmark.run() })])
      case ("batch", let text?):
        guard ![WorkName.latency, .frechet].map(\.rawValue).contains(labels.work), let batch = Int(text),
          (1...1 << 16).contains(batch)
        else {
          say(["error": .string("no such batch: \(text)")])
          continue
        }
        try benchmark.resize(batch: batch)
        try benchmark.run()
        say(["batch": .int(batch)])
      case ("outputs", let path?):
        try benchmark.writeOutputs(to: path)
        say(["outputs": .string(path)])
      case ("peak", nil):
        say(["peak_bytes": .int(Machine.peakMemoryBytes)])
      case ("quit", nil):
        return say(["peak_bytes": .int(Machine.peakMemoryBytes)])
      default:
        say(["error": .string("not known: \(line)")])
      }
    }
  }

  private func say(_ answer: JSONValue) {
    print(answer.text)
    fflush(nil)
  }
}
