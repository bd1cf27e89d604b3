import Archives
import ArgumentParser
import Files
import OptionValues
import Sampling
import Stage

/// What does not change the images.
struct WorkOptions: ParsableArguments {
  @Option(
    SampleValues.batch,
    help: ArgumentHelp(
      "Images in one evaluation of the network (default: up to 64, as many as go into 256 MiB).", valueName: "n"))
  var batch: Int?

  @Flag(
    help: "Transform weights anew for every batch instead of keeping them transformed: less memory, slower.")
  var lowMemory = false

  @Option(
    SampleValues.checkpointImages,
    help: ArgumentHelp("Images after which a part is saved (default: those of 10 seconds).", valueName: "n"))
  var checkpointImages: Int?

  @Option(
    SampleValues.shardSize,
    help: ArgumentHelp(
      "Images of a shard: the archive becomes files NAME-00000.h5 and so on, and NAME.h5 stitches them together.",
      valueName: "n"))
  var shardSize: Int?

  @Option(
    SampleValues.shards,
    help: ArgumentHelp(
      "Make only a share of the shards, 2/5 being the second of five; sid-sample merge closes the archive.",
      valueName: "i/n"))
  var shards: WorkShare?

  @Flag(help: "Take shards of the same work that another kernel set or version has computed.")
  var mixedKernels = false

  @Option(
    repeating: SampleValues.export, as: ArchiveExport.Format.self,
    help: ArgumentHelp("Convert the finished archive as sid-sample export does; repeatable.", valueName: "format"))
  var export: [ArchiveExport.Format] = []

  @Option(SampleValues.contactSheetColumns, help: ArgumentHelp("Images in a row of the contact sheet.", valueName: "n"))
  var contactSheetColumns = 16

  @Option(SampleValues.contactSheetRows, help: ArgumentHelp("Rows of the contact sheet.", valueName: "n"))
  var contactSheetRows = 8

  func validate() throws {
    guard shards == nil || shardSize != nil else { throw ValidationError("--shards needs --shard-size") }
    guard shards == nil || export.isEmpty else {
      throw ValidationError("--export needs the whole archive: merge it, then use sid-sample export")
    }
  }
}
