import Checkpoints
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Records
import Stage

/// Writes what a source holds, tensor by tensor: no more than one is ever in memory.
struct Conversion {
  let content: SourceContent
  /// What was done to the names on the way, and what was left.
  let reading: SourceReading
  /// The source, for errors.
  let origin: String
  let output: String
  let provenance: Provenance
  let allowsNonFinite: Bool

  /// As a file of this package.
  func run(_ context: StageContext) throws {
    guard let watch = try start(context) else { return }
    let recorder = StepRecorder(output: output, stage: "convert")
    try recorder.begin(overwrite: context.options.overwrite)
    try HDF5File.publish(output) { file in
      let details = try write(to: file, watch)
      try file.root.setAttribute("created_by", Version.line(context.program))
      try file.root.setAttribute("provenance", provenance.json)
      try recorder.keep(
        figures: [:],
        details: details.merging(reading.details) { $1 }.merging([
          "tensors": .int(tensorCount),
          "inputs": .object(
            provenance.inputs.mapValues { .object(["path": .string($0.path), "sha256": .string($0.sha256)]) }),
        ]) { $1 }, provenance: provenance.json)
    }
    try recorder.publish(provenance: provenance.json, files: [output])
  }

  /// As a state_dict that other programs load.
  func export(as format: StateDictionaryFile.Format, _ context: StageContext) throws {
    guard let watch = try start(context) else { return }
    var metadata = ["provenance": provenance.json]
    metadata["removed_prefix"] = reading.removedPrefix
    // What `safetensors` expects of files that PyTorch loads.
    if format == .safetensors { metadata["format"] = "pt" }
    switch content {
    case .denoiser(let configuration, let tensors):
      let state = try StateDictionary(
        configuration, source: WatchedTensors(tensors: tensors, watch: watch), origin: origin)
      metadata["config"] = try configuration.json()
      let file = StateDictionaryFile(
        entries: state.specifications.map { ($0.name, $0.shape) }, metadata: metadata)
      try file.write(to: output, format: format) { try allowsNonFinite ? state.tensor($0) : state.finiteTensor($0) }
    case .features(let architecture, let tensors):
      // Checked by being built.
      _ = try FeatureNetwork(architecture: architecture, source: tensors, origin: origin)
      metadata["config"] = architecture.text
      let names = tensors.tensorNames.filter { !FeatureArchitecture.isCounter($0) }
      let file = StateDictionaryFile(
        entries: names.map { ($0, tensors.shape(of: $0) ?? []) }, metadata: metadata)
      try file.write(to: output, format: format) { index in try watch.read { try tensors.tensor(names[index]) } }
    case .trainingState:
      throw Failure(
        .usage, "--to", "\(origin) is a training state of several networks", remedy: "name one of them with --key")
    }
  }

  /// Prints the estimate of a dry run, or checks the memory.
  /// - Returns: nil after a dry run.
  private func start(_ context: StageContext) throws -> Watch? {
    let bytes = shapes.map { $0.reduce(4.0) { $0 * Double($1) } }
    let diskBytes = bytes.reduce(0, +)
    let estimate = Estimate(
      work: "convert \(tensorCount) tensors", flops: 0,
      // One tensor, as it is stored and as it is read, beside the index.
      peakMemoryBytes: byteCount(2 * (bytes.max() ?? 0)) + 64 << 20, diskBytes: byteCount(diskBytes) + 1 << 20)
    if context.options.dryRun {
      estimate.print()
      return nil
    }
    try Machine.requireMemory(estimate.peakMemoryBytes, for: origin)
    let progress = context.progress("convert", total: tensorCount, unit: "tensors")
    return Watch(output: output, progress: progress)
  }

  private var tensorCount: Int {
    switch content {
    case .denoiser(_, let tensors): tensors.tensorNames.count
    case .features(_, let tensors): tensors.tensorNames.count { !FeatureArchitecture.isCounter($0) }
    case .trainingState(let state): state.tensorCount
    }
  }

  private var shapes: [[Int]] {
    switch content {
    case .denoiser(_, let tensors), .features(_, let tensors): tensors.tensorNames.compactMap { tensors.shape(of: $0) }
    // The networks, and one or two moments of two of them.
    case .trainingState(let state): state.networkShapes + state.networkShapes
    }
  }

  /// - Returns: what the summary says of the content.
  private func write(to file: HDF5File, _ watch: Watch) throws -> [String: JSONValue] {
    switch content {
    case .denoiser(let configuration, let tensors):
      let state = try StateDictionary(
        configuration, source: WatchedTensors(tensors: tensors, watch: watch), origin: origin)
      try file.root.setFormat(Network.format)
      try Network.write(configuration, state.specifications, to: file.root) {
        try allowsNonFinite ? state.tensor($0) : state.finiteTensor($0)
      }
      return [
        "architecture": .string(configuration.summary), "parameters": .int(state.specifications.parameterCount),
      ]
    case .features(let architecture, let tensors):
      let count = try FeatureNetwork.write(
        architecture, source: WatchedTensors(tensors: tensors, watch: watch), origin: origin, to: file)
      let name = architecture == .inceptionV3 ? "inception-v3" : "feature network"
      return ["architecture": .string(name), "features": .int(count)]
    case .trainingState(let state):
      try state.imported(watch).write(to: file, origin: origin, allowsNonFinite: allowsNonFinite)
      return ["architecture": .string(try state.configuration().summary + ", training state")]
    }
  }
}

extension NetworkConfiguration {
  /// The classes, for messages.
  var summary: String { "\(precond) \(modelType)" }
}

extension [ParameterSpecification] {
  /// Trainable numbers; buffers do not count.
  var parameterCount: Int { reduce(0) { $0 + ($1.isTrainable ? $1.shape.reduce(1, *) : 0) } }
}
