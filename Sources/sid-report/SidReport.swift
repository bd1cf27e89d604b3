import ArgumentParser
import Files
import OptionValues
import Report
import Stage

/// `sid-report`: a page of what a job made.
@main
struct SidReport: CommandLineProgram {
  static let program = "sid-report"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Makes one self-contained HTML page of what a job made: samples, scores, provenance, timings.",
    usage: "sid-report --job <folder> --output <file> [<options>]",
    discussion: """
      The folder is one of the spool's jobs, or any folder with the outputs of the stage programs and the NAME.json beside \
      them. What it lacks, the page says; a folder, a file or an archive that cannot be read is an error.

      The page loads nothing and runs nothing. It shows the samples, those of each class, strips between two seeds \
      (spherical interpolation of the latents), the nearest pairs among at most 10,000 images, the training pictures that \
      are nearest to samples and whether the network memorises them, losses by noise level, distance and samples as a \
      teacher was trained or a generator distilled, the scores with their definitions, what everything was made from, the \
      time it took, and the job file. NAME.json beside it holds its figures.

      Exit status: 0 done, 64 usage, 65 malformed archive or network, 66 missing input, 69 not enough memory, 73 the output \
      exists and was made from something else, 74 reading or writing failed, 75 stopped or disk full: run it again.
      """,
    version: Version.line(program))

  @Option(help: ArgumentHelp("The folder of the job.", valueName: "folder"))
  var job: String

  @Option(help: ArgumentHelp("The page to write, a name that ends in .html.", valueName: "file"))
  var output: String

  @OptionGroup(title: "Content") var content: ContentOptions
  @OptionGroup(title: "Stage") var expected: ExpectedInputs
  @OptionGroup(title: "Stage") var stage: StageOptions

  func validate() throws {
    guard output.hasSuffix(".html"), !output.hasSuffix("/.html") else {
      throw ValidationError("--output must end in .html, found \(output)")
    }
  }

  func run() throws {
    StageProgram.run(Self.program, on: output, options: stage, writing: [OutputPlace(output)]) { context in
      try ReportStage(command: self, context: context).run()
    }
  }
}

/// What the page shows.
struct ContentOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The archive to show (default: that of the folder's last sampling).", valueName: "file"))
  var samples: String?

  @Option(
    help: ArgumentHelp(
      "The network that made it, for the strips between seeds (default: the file of the folder that the archive names).",
      valueName: "file"))
  var network: String?

  @Option(
    help: ArgumentHelp(
      "The data set that it was trained on, for the nearest training pictures (default: that of the folder on which the "
        + "archive's network, or its teacher, was trained).", valueName: "file"))
  var dataset: String?

  @Option(ReportValues.sheetImages, help: ArgumentHelp("Images of the contact sheet.", valueName: "n"))
  var sheetImages = 120

  @Option(
    ReportValues.interpolations,
    help: ArgumentHelp("Strips of images between two seeds; 0 evaluates no network.", valueName: "n"))
  var interpolations = 6

  @Option(ReportValues.frames, help: ArgumentHelp("Images of a strip, both ends included.", valueName: "n"))
  var frames = 9

  @Option(
    ReportValues.duplicates,
    help: ArgumentHelp(
      "The most images that are compared with each other and with training pictures, up to 10000; 0 for none. Of more, runs "
        + "of neighbours spread over the archive are taken, always the same.", valueName: "n"))
  var duplicates = 10_000

  /// The same for the library.
  var options: Reporting.Options {
    var options = Reporting.Options()
    options.samples = samples
    options.network = network
    options.dataset = dataset
    options.sheetImages = sheetImages
    options.interpolations = interpolations
    options.frames = frames
    options.duplicates = duplicates
    return options
  }
}
