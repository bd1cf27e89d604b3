import ArgumentParser
import Stage

/// `sid-sample`: archives of images by seed.
@main
struct SidSample: CommandLineProgram {
  static let program = "sid-sample"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Makes images from a network, one for each seed, and stores them in an HDF5 archive.",
    usage: """
      sid-sample --network <file> --seeds <list> --output <file> [<options>]
             sid-sample merge <archive>
             sid-sample verify <archive> [--network <file>]
             sid-sample export <archive> --to <format>
      """,
    discussion: """
      `sid-sample sample --help` lists the options of the first form; the others have their own.

      An image depends on the network, the sampler, its class and its own seed alone: not on the batch, the threads, the \
      shards, or how often the run was interrupted. A run that was stopped or killed continues with the same command; \
      until a file is complete its parts lie in the hidden folder .NAME.parts beside it. NAME.json, NAME.manifest.json \
      and the contact sheet NAME.png appear beside the archive.

      Exit status: 0 done, 64 usage, 65 malformed network or archive, 66 missing input or shards, 69 not enough memory, 73 \
      the output exists and was made from something else, 74 reading or writing failed, 75 stopped or disk full: run it \
      again.
      """,
    version: Version.line(program),
    subcommands: [SampleCommand.self, MergeCommand.self, VerifyCommand.self, ExportCommand.self],
    defaultSubcommand: SampleCommand.self)
}
