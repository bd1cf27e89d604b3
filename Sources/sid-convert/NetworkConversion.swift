import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Stage

/// What a source holds, with the tensors still in the source.
enum ConvertibleNetwork {
  /// Becomes a `sid-network` file.
  case denoiser(NetworkConfiguration)
  /// Becomes a `sid-features` file.
  case features(FeatureNetworkConfiguration)
}

/// Writes a network as a file of this package.
struct NetworkConversion {
  let network: ConvertibleNetwork
  let tensors: any TensorSource
  /// The source, for errors.
  let origin: String

  func run(output: String, provenance: Provenance, context: StageContext) throws {
    // In floating point: a file may name more tensors of one storage than an integer could count.
    let declaredBytes = tensors.tensorNames.reduce(0.0) { $0 + 4 * Double(tensors.shape(of: $1)?.reduce(1, *) ?? 0) }
    let parameterBytes = Int(min(declaredBytes, 1e18))
    let estimate = Estimate(
      work: "convert \(tensors.tensorNames.count) tensors", flops: 0,
      // The network, and one tensor in the file's order and in this package's.
      peakMemoryBytes: 2 * parameterBytes + 64 << 20, diskBytes: parameterBytes + 1 << 20)
    if context.options.dryRun { return estimate.print() }
    try Machine.requireMemory(estimate.peakMemoryBytes, for: origin)

    let progress = context.progress("convert", total: tensors.tensorNames.count, unit: "tensors")
    let (details, write) = try read(WatchedTensors(tensors: tensors, output: output, progress: progress))
    progress.finish()
    try publishSummary(
      output: output, stage: "convert", figures: [:],
      details: details.merging([
        "tensors": .int(tensors.tensorNames.count),
        "inputs": .object(
          provenance.inputs.mapValues { .object(["path": .string($0.path), "sha256": .string($0.sha256)]) }),
      ]) { $1 })
    try HDF5File.publish(output) { file in
      try write(file)
      try file.root.setAttribute("created_by", Version.line(context.program))
      try file.root.setAttribute("provenance", provenance.json)
    }
  }

  /// Reads and checks every tensor.
  /// - Returns: what the summary says of the network, and what writes it.
  private func read(_ source: some TensorSource) throws -> ([String: JSONValue], (HDF5File) throws -> Void) {
    switch network {
    case .denoiser(let configuration):
      let network = try Network(configuration: configuration, source: source, origin: origin)
      if let name = network.firstNonFiniteParameter {
        throw Failure(
          .dataError, origin, "tensor \"\(name)\" holds numbers that are not finite",
          remedy: "use another snapshot of the run")
      }
      let details: [String: JSONValue] = [
        "architecture": .string("\(configuration.precond) \(configuration.modelType)"),
        "parameters": .int(network.parameterCount),
      ]
      return (details, { try network.write(to: $0) })
    case .features(let configuration):
      let network = try FeatureNetwork(configuration: configuration, source: source, origin: origin)
      let details: [String: JSONValue] = [
        "architecture": "feature network", "features": .int(network.featureCount),
      ]
      return (details, { try network.write(to: $0) })
    }
  }
}

extension Network {
  /// Trainable numbers; buffers do not count.
  fileprivate var parameterCount: Int {
    specifications.reduce(0) { $0 + ($1.isTrainable ? $1.shape.reduce(1, *) : 0) }
  }
}

/// Tensors whose reading is shown as progress and stops when the program is asked to.
private struct WatchedTensors: TensorSource {
  let tensors: any TensorSource
  let output: String
  let progress: ProgressReporter
  private let counter = Counter()

  init(tensors: any TensorSource, output: String, progress: ProgressReporter) {
    self.tensors = tensors
    self.output = output
    self.progress = progress
  }

  var tensorNames: [String] { tensors.tensorNames }
  func shape(of name: String) -> [Int]? { tensors.shape(of: name) }

  func tensor(_ name: String) throws -> Tensor {
    try StopRequest.check(output)
    let tensor = try tensors.tensor(name)
    counter.value += 1
    progress.update(done: counter.value)
    return tensor
  }

  private final class Counter {
    var value = 0
  }
}
