import ArgumentParser
import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Models
import OptionValues
import Stage
import Training

/// `sid-distill verify --vectors FILE`.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that training here is the official training: replay a recorded one.",
    discussion: """
      The file holds the random numbers of some iterations of the official trainer and what came of them. The same \
      iterations are run here; losses, gradient norms, weights and moments are printed beside what is accepted. Exit \
      status: 0 all are within it, 65 one is beyond it.
      """)

  @Option(help: ArgumentHelp("The recorded training (HDF5).", valueName: "file"))
  var vectors: String

  @Option(
    help: ArgumentHelp(
      "Where it begins: the teacher's network file, the training state that it went on from, or both. (default: the weights in the vectors)",
      valueName: "file"))
  var start: [String] = []

  @Option(
    help: ArgumentHelp(
      "The recorded training that this one goes on with: its settings, and its teacher where --start names none.",
      valueName: "file"))
  var settingsOf: String?

  @Option(
    CommonValues.kernels,
    help: ArgumentHelp(
      "How convolutions are computed: fast, accurate or exact; the limits of exact are the narrow ones.",
      valueName: "name"))
  var kernels = KernelMode.exact

  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(SidDistill.program, on: vectors, options: stage, writing: []) { context in
      Threads.use(context.threads)
      KernelSet.use(kernels)
      WeightCache.limitBytes = WeightCache.trainingLimitBytes
      let recorded = try RecordedTrajectory(contentsOf: vectors, settingsOf: settingsOf)
      let (network, state) = try begin(recorded)
      guard let teacher = network ?? recorded.start else {
        throw Failure(
          .usage, "--start", "\(vectors) holds no initial weights",
          remedy: "name the teacher, a network file that sid-convert made, in --start")
      }
      if stage.dryRun { return print("\(recorded.iterations) iterations of \(recorded.settings.batch) images") }
      let progress = context.progress("verify", total: recorded.iterations, unit: "iterations")
      let comparisons = try recorded.replay(teacher: teacher, from: state) {
        try Interruption.check()
        progress.update(done: $0)
      }
      progress.finish()
      print(RecordedComparison.table(comparisons))
      try RecordedComparison.requireAccepted(comparisons, path: vectors)
    }
  }

  /// The network and the training state among the files of `--start`.
  private func begin(_ recorded: RecordedTrajectory) throws -> (network: Network?, state: TrainingState?) {
    var network: Network?
    var state: TrainingState?
    for path in start {
      let file = try HDF5File.open(path)
      let format = try file.root.formatName()
      switch format {
      case Network.format.name where network == nil: network = try Network(contentsOf: path)
      case TrainingState.format.name where state == nil:
        var saved = try TrainingState(
          reading: file, networks: TrainingState.distillationNetworks, cut: recorded.settings.cut)
        guard saved.networks.map(\.adam.beta1) == [0, recorded.settings.generatorBeta1] else {
          throw Failure(.dataError, path, "its optimizers have another beta1 than the record")
        }
        try saved.adopt(recorded.settings, origin: path)
        state = saved
      case Network.format.name, TrainingState.format.name:
        throw Failure(
          .usage, path, "a second file of format \(format ?? "none"); --start takes one network and one state")
      default:
        throw Failure(
          .dataError, path, "the format is \(format ?? "none"); a network or a training state is expected",
          remedy: "sid-convert makes both of the official files")
      }
    }
    return (network, state)
  }
}
