import Archives
import ArgumentParser
import Diagnostics
import Files
import Foundation
import HDF5
import Images
import Records
import Sampling
import Stage

/// `sid-sample merge ARCHIVE`.
struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Close an archive whose shards were made by several processes or machines.",
    discussion: """
      All shards have to be there and to belong together. The archive and its manifest appear beside them.
      """)

  @Argument(help: ArgumentHelp("The archive, the --output of those who made the shards.", valueName: "archive"))
  var archive: String

  @Flag(help: "Take shards that different kernel sets or versions have computed: they agree to rounding.")
  var mixedKernels = false

  @OptionGroup(title: "Stage") var stage: StageOptions

  func run() throws {
    StageProgram.run(SidSample.program, on: archive, options: stage, writing: [OutputPlace(archive, option: "archive")])
    { context in
      let master = try SampleMaster(shardsOf: archive, mixingKernels: mixedKernels)
      let record = ArchiveRecord(archive: archive, sheet: (16, 8), context: context)
      if access(archive, F_OK) == 0, !context.options.overwrite {
        let reader = try SampleReader(archive)
        guard reader.provenance == master.archiveProvenance, let wanted = Provenance(json: reader.provenance) else {
          throw Failure(
            .cannotCreate, archive, "exists, and was not made from the shards beside it", remedy: "give --overwrite")
        }
        if try !record.isFinished(wanted: wanted, exports: []), !context.options.dryRun {
          try record.complete(exports: [])
        }
        return context.note("\(archive): made from the same shards already; nothing to do")
      }
      if context.options.dryRun { return print("\(archive): \(master.count) images, all shards are there") }
      try record.recorder.begin(overwrite: context.options.overwrite)
      let digests = try master.publish(createdBy: Version.line(context.program), sheet: (16, 8)) { images, number in
        let shape = ImageShape(height: master.shape[0], width: master.shape[1], channels: master.shape[2])
        try record.keep(images, number, count: master.count, shape: shape, provenance: master.archiveProvenance)
      }
      try record.complete(exports: [], sha256: digests)
    }
  }
}
