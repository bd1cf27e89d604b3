import ArgumentParser
import Files
import Sampling
import Stage

/// What does not change the images.
struct WorkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Images in one evaluation of the network (default: up to 64, as many as go into 256 MiB).", valueName: "n"))
  var batch: Int?

  @Flag(
    help: "Transform weights anew for every batch instead of keeping them transformed: less memory, slower.")
  var lowMemory = false

  @Option(
    help: ArgumentHelp("Images after which a part is saved (default: those of 10 seconds).", valueName: "n"))
  var checkpointImages: Int?

  @Option(
    help: ArgumentHelp(
      "Images of a shard: the archive becomes files NAME-00000.h5 and so on, and NAME.h5 stitches them together.",
      valueName: "n"))
  var shardSize: Int?

  @Option(
    help: ArgumentHelp(
      "Make only a share of the shards, 2/5 being the second of five; sid-sample merge closes the archive.",
      valueName: "i/n"))
  var shards: WorkShare?

  @Flag(help: "Take shards of the same work that another kernel set or version has computed.")
  var mixedKernels = false

  @Option(
    help: ArgumentHelp("Convert the finished archive as sid-sample export does; repeatable.", valueName: "format"))
  var export: [ArchiveExport.Format] = []

  @Option(help: ArgumentHelp("Images in a row of the contact sheet.", valueName: "n"))
  var contactSheetColumns = 16

  @Option(help: ArgumentHelp("Rows of the contact sheet.", valueName: "n"))
  var contactSheetRows = 8

  func validate() throws {
    for (name, value, largest) in [
      ("batch", batch ?? 1, 1 << 20), ("checkpoint-images", checkpointImages ?? 1, 1 << 20),
      ("contact-sheet-columns", contactSheetColumns, 256), ("contact-sheet-rows", contactSheetRows, 256),
    ] where value < 1 || value > largest {
      throw ValidationError("--\(name) must be from 1 to \(largest), found \(value)")
    }
    if let shardSize, shardSize < 1 || shardSize > 1 << 40 {
      throw ValidationError("--shard-size must be from 1 to 2^40, found \(shardSize)")
    }
    guard shards == nil || shardSize != nil else { throw ValidationError("--shards needs --shard-size") }
    guard shards == nil || export.isEmpty else {
      throw ValidationError("--export needs the whole archive: merge it, then use sid-sample export")
    }
  }
}

extension ArchiveExport.Format: ExpressibleByArgument {}
