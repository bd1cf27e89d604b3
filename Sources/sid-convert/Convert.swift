import ArgumentParser
import Checkpoints
import Compute
import ConfigurationFiles
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import OptionValues
import Records
import Stage

extension StateDictionaryFile.Format: ExpressibleByArgument {}

/// `sid-convert SOURCE --output FILE`.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a network (this is what happens without a subcommand).",
    discussion: """
      A source that holds its network as an object (.pkl of EDM and SiD, .pt of a SiD training run) says itself what \
      the network is. A state_dict (.pt, .safetensors, .npz) tells most of it by names and shapes; --config says the \
      rest, such as the preconditioner.

      A training state of an official trainer (training-state-NNNNNN.pt) becomes one of this package, unless --key names \
      one of its networks: give it to sid-distill as --state, with the options of the run, to go on. One of EDM's trainer \
      goes on in sid-train; it has no average, which --ema takes from the snapshot of the same number.
      """)

  @Argument(
    help: ArgumentHelp(
      "The file to convert: .pkl, .pt, .safetensors, .npz, or an .h5 of this package; told by its content.",
      valueName: "source"))
  var source: String

  @Option(
    help: ArgumentHelp(
      "The file to write. Beside an HDF5 file, NAME.json describes it. (default with --to: the source's name with the "
        + "extension of the format)", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Write a state_dict that PyTorch users load instead: safetensors, or torch for torch.load.", valueName: "format"))
  var to: StateDictionaryFile.Format?

  @Option(
    ConvertValues.key,
    help: ArgumentHelp(
      "Which network or state_dict of the source (default: ema), in nested dictionaries joined by dots: model.ema. A "
        + "training state has fake_score, G and G_ema, or net. `list` shows the keys.", valueName: "key"))
  var key: String?

  @Option(
    help: ArgumentHelp(
      "YAML for a state_dict: the architecture by EDM's names (precond, model_type, img_resolution, ...), as far as "
        + "names and shapes leave it open, or a feature network's `layers`.", valueName: "yaml"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "The snapshot with the average of a training state of EDM's trainer: network-snapshot-NNNNNN.pkl of the same number.",
      valueName: "file"))
  var ema: String?

  @Flag(
    name: .customLong("allow-nonfinite"),
    help: "Convert weights that are not finite numbers, to look into them; the other programs refuse such a network.")
  var allowNonFinite = false

  @OptionGroup var expected: ExpectedInputs
  @OptionGroup var stage: StageOptions

  func validate() throws {
    if output == nil, to == nil { throw ValidationError("Missing expected argument '--output <file>'") }
    try ConvertRelations(hasConfig: config != nil, hasEMA: ema != nil, digests: expected.digests).validate()
  }

  func run() throws {
    let output = output ?? companion(of: source, extension: to?.fileExtension ?? "h5")
    StageProgram.run(SidConvert.program, on: output, options: stage, writing: [OutputPlace(output)]) { context in
      try OtherFile.require(source, output)
      if let config { try OtherFile.require(config, output) }
      if let ema { try OtherFile.require(ema, output) }
      let provenance = try provenance()
      try expected.check(provenance)
      let file = try SourceFile.open(source)
      let description = try config.map { (options: try ConfigurationFile.read($0), origin: $0) }
      let state = try FinishedOutput.check(
        output, wanted: provenance, overwrite: stage.overwrite, existingProvenance: existingProvenance)
      let recorder = StepRecorder(output: output, stage: "convert")
      if state == .same, try isRecorded(recorder, provenance) {
        return context.note("\(output): made from the same source already; nothing to do")
      }
      var (content, reading) = try file.content(key: key, description: description)
      content = try withAverage(content)
      reading.note(source, context)
      let conversion = Conversion(
        content: content, reading: reading, origin: source, output: output, provenance: provenance,
        allowsNonFinite: allowNonFinite)
      if let to {
        try conversion.export(as: to, context)
      } else {
        try conversion.run(context)
      }
    }
  }

  /// The content with the average of `--ema`, which belongs to training states of EDM's trainer alone.
  private func withAverage(_ content: SourceContent) throws -> SourceContent {
    guard case .trainingState(let state) = content, state.isOfTeacher else {
      guard ema == nil else {
        throw Failure(.usage, "--ema", "is for a training state of EDM's trainer; \(source) is none or has its average")
      }
      return content
    }
    guard let ema else {
      throw Failure(
        .usage, source, "a training state of EDM's trainer, which has no average",
        remedy: "name the snapshot of the same number in --ema, or give --key net to convert the network alone")
    }
    guard case .checkpoint(let snapshot) = try SourceFile.open(ema) else {
      throw Failure(.dataError, ema, "a file of this package; a snapshot of EDM's trainer is expected")
    }
    return .trainingState(try state.with(averageOf: snapshot))
  }

  /// Whether the record of a finished output is there, or could be completed without converting anew.
  private func isRecorded(_ recorder: StepRecorder, _ provenance: Provenance) throws -> Bool {
    // A state_dict has no record: its name may be that of a network beside it.
    if to != nil { return true }
    if try recorder.isFinished(wanted: provenance, promising: [recorder.output]) { return true }
    guard !stage.dryRun, let existing = try existingProvenance(recorder.output),
      try recorder.kept(provenance: existing) != nil
    else { return false }
    try recorder.publish(provenance: existing, files: [recorder.output])
    return true
  }

  private func existingProvenance(_ path: String) throws -> String? {
    guard to != nil else { return try HDF5File.open(path).root.stringAttribute("provenance") }
    return try Checkpoint.open(path).metadata["provenance"]
  }

  private func provenance() throws -> Provenance {
    var inputs = ["source": try Provenance.Input(source)]
    if let config { inputs["config"] = try Provenance.Input(config) }
    if let ema { inputs["ema"] = try Provenance.Input(ema) }
    var options: [String: String] = [:]
    options["key"] = key
    options["to"] = to?.rawValue
    if allowNonFinite { options["allow-nonfinite"] = "true" }
    return Provenance(program: SidConvert.program, inputs: inputs, options: options)
  }
}
