import ArgumentParser
import Stage

/// `sid-distill`: one-step generators from teachers.
@main
struct SidDistill: CommandLineProgram {
  static let program = "sid-distill"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract:
      "Distill a diffusion model into a generator that makes an image in one evaluation (SiD, arXiv 2404.04057).",
    usage: """
      sid-distill --teacher <file> --output <file> --state <file> [<options>]
             sid-distill verify --vectors <file> [--start <file> ...]
      """,
    discussion: """
      `sid-distill distill --help` lists the options of the first form; `verify` has its own.

      No data are needed: the generator trains on its own samples. Run the same command again to continue where it stopped;
      the result is the same as if it had never stopped. Under mpirun or srun several processes share the work, if this
      program was built for MPI; the result is the same again.

      The defaults are the official trainer's. On a CPU the published durations are years of core time: start with a
      small teacher, or with a short --duration-kimg.
      """,
    version: Version.line(program),
    subcommands: [DistillCommand.self, VerifyCommand.self],
    defaultSubcommand: DistillCommand.self)
}
