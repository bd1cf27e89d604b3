import ArgumentParser
import Stage

/// `sid-train`: teachers from data sets.
@main
struct SidTrain: CommandLineProgram {
  static let program = "sid-train"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Train a diffusion model on a data set, as EDM's trainer does (arXiv 2206.00364).",
    usage: """
      sid-train --dataset <file> --output <file> --state <file> [<options>]
             sid-train verify --vectors <file> [--start <file> ...]
      """,
    discussion: """
      `sid-train train --help` lists the options of the first form; `verify` has its own.

      What it makes is a teacher for sid-distill, or a generator of its own with sid-sample --sampler heun. Run the same \
      command again to continue where it stopped; the result is the same as if it had never stopped. Under mpirun or srun \
      several processes share the work, if this program was built for MPI; the result is the same again.

      The defaults are the official trainer's. On a CPU the published durations are years of core time: begin with a \
      small network and a short --duration-kimg, and make --lr-rampup-kimg shorter with it.
      """,
    version: Version.line(program),
    subcommands: [TrainCommand.self, VerifyCommand.self],
    defaultSubcommand: TrainCommand.self)
}
