import ArgumentParser
import Stage

/// `sid-score`: measures how far the distribution of images is from that of the real ones.
@main
struct SidScore: CommandLineProgram {
  static let program = "sid-score"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Measures how far generated images are from real ones: FID, KID, Inception Score, precision and recall.",
    usage: """
      sid-score --samples <path> --reference <path> --features <file> --output <file>
             sid-score reference --dataset <path> --features <file> --output <file>
             sid-score merge <file> ... --output <file>
      """,
    discussion: """
      `sid-score score --help`, `sid-score reference --help` and `sid-score merge --help` list the options.

      The same command continues where an interrupted one stopped and gives the same figure, whatever the number of \
      threads. Exit status: 0 done, 64 usage, 65 malformed input or inputs that do not belong together, 66 missing \
      input, 73 the output exists and was made from something else, 75 stopped.
      """,
    version: Version.line(program),
    subcommands: [ScoreCommand.self, ReferenceCommand.self, MergeCommand.self],
    defaultSubcommand: ScoreCommand.self)
}
