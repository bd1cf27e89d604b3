import ArgumentParser
import Compute
import Denoising
import Diagnostics
import Foundation
import HDF5
import Models
import OptionValues
import Stage
import Training

/// `sid-train verify --vectors FILE`.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that training here is the official training: replay a recorded one.",
    discussion: """
      The file holds the images and random numbers of some iterations of the official trainer and what came of them. The \
      same iterations are run here; losses, gradient and weight norms, schedules, weights and moments are printed beside \
      what is accepted. Exit status: 0 all are within it, 65 one is beyond it.
      """)

  @Option(help: ArgumentHelp("The recorded training (HDF5).", valueName: "file"))
  var vectors: String

  @Option(
    help: ArgumentHelp(
      "Where it begins: a network file, or the training state that it went on from. (default: the weights in the vectors)",
      valueName: "file"))
  var start: [String] = []

  @Option(
    help: ArgumentHelp("The recorded training that this one goes on with: its settings.", valueName: "file"))
  var settingsOf: String?

  @Option(
    CommonValues.kernels,
    help: ArgumentHelp(
      "How convolutions are computed: fast, accurate or exact; the limits of exact are the narrow ones.",
      valueName: "name"))
  var kernels = KernelMode.exact

  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(SidTrain.program, on: vectors, options: stage, writing: []) { context in
      Threads.use(context.threads)
      KernelSet.use(kernels)
      WeightCache.limitBytes = WeightCache.trainingLimitBytes
      let recorded = try RecordedTeacherTraining(contentsOf: vectors, settingsOf: settingsOf)
      let (network, state) = try begin(recorded)
      if stage.dryRun { return print("\(recorded.iterations) iterations of \(recorded.settings.batch) images") }
      let progress = context.progress("verify", total: recorded.iterations, unit: "iterations")
      let comparisons = try recorded.replay(from: state, network: network) {
        try Interruption.check()
        progress.update(done: $0)
      }
      progress.finish()
      print(RecordedComparison.table(comparisons))
      try RecordedComparison.requireAccepted(comparisons, path: vectors)
    }
  }

  /// The network or the training state among the files of `--start`.
  private func begin(_ recorded: RecordedTeacherTraining) throws -> (network: Network?, state: TrainingState?) {
    var network: Network?
    var state: TrainingState?
    for path in start {
      let file = try HDF5File.open(path)
      let format = try file.root.formatName()
      guard network == nil, state == nil else {
        throw Failure(.usage, path, "a second file; --start takes one network or one training state")
      }
      switch format {
      case Network.format.name: network = try Network(contentsOf: path)
      case TrainingState.format.name:
        var saved = try TrainingState(
          reading: file, networks: TrainingState.teacherNetworks, cut: recorded.settings.cut)
        try saved.adopt(recorded.settings, origin: path)
        state = saved
      default:
        throw Failure(
          .dataError, path, "the format is \(format ?? "none"); a network or a training state is expected",
          remedy: "sid-convert makes both of the official files")
      }
    }
    return (network, state)
  }
}
