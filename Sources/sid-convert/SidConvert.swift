import ArgumentParser
import Stage

/// `sid-convert`: brings networks that other programs saved, and pictures, into this package's files.
@main
struct SidConvert: CommandLineProgram {
  static let program = "sid-convert"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Converts networks between other programs' files and this package's, and pictures into data sets.",
    usage: """
      sid-convert <source> --output <file> [--key <key>] [--config <yaml>]
             sid-convert <source> --to safetensors|torch [--output <file>] [--key <key>]
             sid-convert dataset <source> --output <zip> [--resolution <size>]
             sid-convert list <file>
             sid-convert verify --network <file> --vectors <file>
      """,
    discussion: """
      `sid-convert convert --help`, `dataset --help`, `list --help` and `verify --help` list the options.

      Nothing in a source is executed: a pickle is read as data. Objects beside the tensors are passed over, a name that \
      can run code is refused. Exit status: 0 done, 64 usage, 65 malformed source or failed verification, 66 missing source, 73 the \
      output exists and was made from something else, 75 stopped, 78 bad configuration.
      """,
    version: Version.line(program),
    subcommands: [Convert.self, DatasetCommand.self, List.self, Verify.self],
    defaultSubcommand: Convert.self)
}
