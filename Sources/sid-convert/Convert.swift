import ArgumentParser
import Checkpoints
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Stage

/// `sid-convert SOURCE --output FILE`.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a network (this is what happens without a subcommand).",
    discussion: """
      A source that holds its network as an object (.pkl of EDM and SiD, .pt of a SiD training run) says itself what \
      the network is. A state_dict (.pt, .safetensors) does not: --config describes it.
      """)

  @Argument(
    help: ArgumentHelp("The file to convert: .pkl, .pt or .safetensors; told by its content.", valueName: "source"))
  var source: String

  @Option(help: ArgumentHelp("The HDF5 file to write; NAME.json beside it describes it.", valueName: "file"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Which network of the source (default: ema). A training state has fake_score, G and G_ema.", valueName: "key"))
  var key: String?

  @Option(
    help: ArgumentHelp(
      "YAML for a state_dict: the architecture by EDM's names (precond, model_type, img_resolution, ...), or a feature "
        + "network's `layers`.", valueName: "yaml"))
  var config: String?

  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(SidConvert.program, options: stage) { context in
      try requireOther(than: source)
      if let config { try requireOther(than: config) }
      let checkpoint = try Checkpoint.open(source)
      let options = try config.map { try ConfigurationFile.read($0) }
      let provenance = try provenance()
      let state = try FinishedOutput.check(output, wanted: provenance, overwrite: stage.overwrite) {
        try HDF5File.open($0).root.stringAttribute("provenance")
      }
      if state == .same {
        context.note("\(output): made from the same source already; nothing to do")
        return
      }
      try AtomicFile.requireFolder(of: output)
      let (network, tensors) = try contents(of: checkpoint, options: options)
      try NetworkConversion(network: network, tensors: tensors, origin: source)
        .run(output: output, provenance: provenance, context: context)
    }
  }

  /// The network that a source holds, by its own description or by that of `--config`.
  private func contents(
    of checkpoint: Checkpoint, options: [String: PlainValue]?
  ) throws -> (ConvertibleNetwork, any TensorSource) {
    guard let options, let config else {
      guard !checkpoint.moduleKeys.isEmpty else {
        throw Failure(
          .dataError, source,
          "a \(checkpoint.kind.rawValue) that holds no network as an object (keys: \(keys(checkpoint)))",
          remedy: "give the architecture of a state_dict with --config")
      }
      let module = try checkpoint.module(key ?? "ema")
      guard module.initPositionalCount == 0 else {
        throw Failure(
          .dataError, source, "the \(module.className) was made with positional arguments, which are not understood")
      }
      let configuration = try NetworkConfiguration(
        className: module.className, modelClassName: module.modelClassName, initKeywords: module.initKeywords,
        attributes: module.attributes.merging(module.networkAttributes) { outer, _ in outer }, origin: source)
      return (.denoiser(configuration), module)
    }
    guard checkpoint.moduleKeys.isEmpty else {
      throw Failure(.usage, "--config", "is for a state_dict; \(source) describes its networks itself")
    }
    let tensors = try checkpoint.stateDictionary(key: key)
    if options["layers"] != nil {
      return (.features(try FeatureNetworkConfiguration(options, origin: config)), tensors)
    }
    return (.denoiser(try ConfigurationFile.network(options, origin: config)), tensors)
  }

  /// Refuses to write over an input, which `--overwrite` would otherwise allow.
  private func requireOther(than input: String) throws {
    var wanted = stat()
    var existing = stat()
    guard stat(input, &wanted) == 0, stat(output, &existing) == 0 else { return }
    guard wanted.st_ino != existing.st_ino || wanted.st_dev != existing.st_dev else {
      throw Failure(.usage, "--output", "is the same file as the input \(input)", remedy: "name another file")
    }
  }

  private func keys(_ checkpoint: Checkpoint) -> String {
    checkpoint.keys.prefix(4).joined(separator: ", ") + (checkpoint.keys.count > 4 ? ", ..." : "")
  }

  private func provenance() throws -> Provenance {
    var inputs = ["source": try Provenance.Input(source)]
    if let config { inputs["config"] = try Provenance.Input(config) }
    return Provenance(program: SidConvert.program, inputs: inputs, options: key.map { ["key": $0] } ?? [:])
  }
}

extension CheckpointModule {
  /// The attributes of the inner network that belong to its configuration.
  fileprivate var networkAttributes: [String: PlainValue] {
    modelAttributes.filter { $0.key == "label_dropout" }
  }
}
