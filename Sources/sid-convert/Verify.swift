import ArgumentParser
import Compute
import Diagnostics
import Foundation
import HDF5
import Models
import OptionValues
import Stage

/// `sid-convert verify`.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a converted network with recorded inputs and outputs.",
    discussion: """
      The vectors are an HDF5 file with inputs/x [B, C, R, R], inputs/sigma [B], where the network takes them \
      inputs/class_labels and inputs/augment_labels, and outputs/D_x with any of F_x, c_noise, model_input_c_in_x, \
      D_x_fp64, D_x_without_class_labels, D_x_without_augment_labels, D_x_scalar_sigma_2p5. For Inception-v3 they are groups of images_uint8_nchw [N, C, H, W] and features [N, 2048] \
      by pytorch-fid. Ends with status 65 where \
      an output is farther from its record than the largest absolute error 2e-5 or the relative L2 error 5e-6 for \
      EDMPrecond and features, the relative L2 error 1e-5 for the other preconditioners.
      """)

  @Option(
    help: ArgumentHelp("The converted network (sid-network, or sid-features of Inception-v3).", valueName: "file"))
  var network: String

  @Option(help: ArgumentHelp("The recorded inputs and outputs.", valueName: "file"))
  var vectors: String

  @Option(
    CommonValues.kernels,
    help: ArgumentHelp(
      "How convolutions are computed: fast, accurate or exact; the limits are those of exact.", valueName: "name"))
  var kernels = KernelMode.exact

  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(SidConvert.program, on: network, options: stage, writing: []) { context in
      Threads.use(context.threads)
      KernelSet.use(kernels)
      let check: Check
      if try HDF5File.open(network).root.formatName() == FeatureNetwork.format.name {
        let features = try FeatureNetwork(contentsOf: network)
        let vectors = try RecordedFeatures(contentsOf: vectors, for: features)
        check = Check(passCount: vectors.passCount, unknownOutputs: vectors.unknownOutputs) {
          try vectors.compare(features, progress: $0)
        }
      } else {
        let denoiser = try Network(contentsOf: network)
        let vectors = try RecordedVectors(contentsOf: vectors, for: denoiser)
        check = Check(passCount: vectors.passCount, unknownOutputs: vectors.unknownOutputs) {
          try vectors.compare(denoiser, progress: $0)
        }
      }
      if stage.dryRun {
        print("\(check.passCount) passes through the network")
        return
      }
      let progress = context.progress("verify", total: check.passCount, unit: "passes")
      let comparisons = try check.compare {
        try Interruption.check()
        progress.update(done: $0)
      }
      progress.finish()
      print(Self.table(comparisons, unknown: check.unknownOutputs))
      let failed = comparisons.filter { !$0.isAccepted }.map(\.name)
      guard failed.isEmpty else {
        throw Failure(
          .dataError, self.network,
          "\(failed.count) of \(comparisons.count) outputs are beyond the tolerance: "
            + failed.joined(separator: ", "),
          remedy: "the vectors belong to another network, or the conversion is wrong")
      }
    }
  }

  /// A network with the vectors that it is held to.
  private struct Check {
    let passCount: Int
    let unknownOutputs: [String]
    let compare: (_ progress: (Int) throws -> Void) throws -> [RecordedVectors.Comparison]
  }

  /// One line for each output: the errors beside what is accepted.
  static func table(_ comparisons: [RecordedVectors.Comparison], unknown: [String]) -> String {
    let width = (comparisons.map(\.name) + unknown).map(\.count).max() ?? 0
    func row(_ cells: [String]) -> String {
      cells[0].padding(toLength: max(width, 6), withPad: " ", startingAt: 0)
        + cells[1...4].map { String(repeating: " ", count: max(1, 13 - $0.count)) + $0 }.joined() + "  " + cells[5]
    }
    func figure(_ value: Double) -> String { String(format: "%.2g", value) }
    var lines = [row(["output", "max abs", "tolerance", "rel L2", "tolerance", "verdict"])]
    for comparison in comparisons {
      lines.append(
        row([
          comparison.name, figure(comparison.maxAbsoluteError),
          comparison.tolerance.maxAbsolute.isFinite ? figure(comparison.tolerance.maxAbsolute) : "-",
          figure(comparison.relativeL2Error), figure(comparison.tolerance.relativeL2),
          comparison.isAccepted ? "ok" : "BEYOND",
        ]))
    }
    for name in unknown { lines.append(row([name, "-", "-", "-", "-", "not compared"])) }
    return lines.joined(separator: "\n")
  }
}
