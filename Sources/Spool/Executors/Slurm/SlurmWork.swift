import Diagnostics
import Files
import Foundation
import JobFolder
import OptionValues

/// What the batch jobs of an attempt do: one, or an array of shares and then one that closes the step.
struct SlurmWork: Sendable, Equatable {
  /// A program with its arguments, as words of a shell.
  var command: [String]
  /// How many tasks an array has that make shares before; 1 for none.
  var shares = 1
  /// What makes a share.
  var shareCommand: [String] = []
  /// Files that are in nobody's way once the step is closed.
  var shareFiles: [String] = []
  /// Whether the command is started as ranks.
  var isRanks = false

  /// - Parameters:
  ///   - order: what is to be started.
  ///   - resources: what it asks for.
  /// - Throws: a `Failure` where an input is missing.
  init(_ order: StageOrder, _ resources: SlurmResources) throws {
    let arguments = try order.arguments(resources.cpus)
    command = ([order.program] + arguments).map(Self.quoted)
    let step = order.step
    isRanks = ["train", "distill"].contains(step.stage.stage) && (resources.tasks ?? 1) * (resources.nodes ?? 1) > 1
    let wanted = resources.shares ?? 1
    guard wanted > 1 else { return }
    switch step.stage.stage {
    case "sample":
      // Shards are what shares are made of; more shares than shards would have nothing to do.
      guard let size = step.text("shard-size").flatMap({ Int($0) }), size > 0,
        let count = step.text("seeds").flatMap({ try? SeedList($0).count })
      else { return }
      shares = min(wanted, (count + size - 1) / size)
      // What goes with the whole archive the closing command makes: it finds the shards made, and makes what is missing.
      shareCommand =
        ([order.program] + arguments.filter { !$0.hasPrefix("--export=") }).map(Self.quoted)
        + ["--shards=$SLURM_ARRAY_TASK_ID/\(shares)"]
    case "score":
      // The shares are beside the output and go with it; tasks beyond the number of segments have nothing to do.
      shares = wanted
      shareCommand = command + ["--share=$SLURM_ARRAY_TASK_ID/\(shares)"]
      command.append("--shares=\(shares)")
    case "reference":
      shares = wanted
      let output = "--output=\(step.outputFile)"
      shareCommand =
        ([order.program] + arguments.filter { $0 != output }).map(Self.quoted)
        + ["--share=$SLURM_ARRAY_TASK_ID/\(shares)", "--output=.\(step.name).share-$SLURM_ARRAY_TASK_ID.h5"]
      let parts = (1...shares).map { ".\(step.name).share-\($0)" }
      shareFiles = parts.flatMap { ["\($0).h5", "\($0).json"] }
      let rest = arguments.filter { $0.hasPrefix("--threads=") || $0.hasPrefix("--progress-fd=") || $0 == output }
      command = ([order.program, "merge"] + parts.map { "\($0).h5" } + rest).map(Self.quoted)
    default: break
    }
    if shares <= 1 { (shares, shareCommand) = (1, []) }
  }

  /// A text as one word of a shell.
  static func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }
}

extension JobStep {
  /// What the job says for an option that takes one value.
  fileprivate func text(_ option: String) -> String? {
    guard case .text(let text) = settings.first(where: { $0.option.name == option })?.value else { return nil }
    return text
  }
}
