import ArgumentParser
import Diagnostics
import Files
import Foundation
import HDF5
import Images
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
      if access(archive, F_OK) == 0, !context.options.overwrite {
        let reader = try SampleReader(archive)
        guard reader.provenance == master.archiveProvenance else {
          throw Failure(
            .cannotCreate, archive, "exists, and was not made from the shards beside it", remedy: "give --overwrite")
        }
        return context.note("\(archive): made from the same shards already; nothing to do")
      }
      if context.options.dryRun { return print("\(archive): \(master.count) images, all shards are there") }
      try master.publish(createdBy: Version.line(context.program), sheet: (16, 8)) { images, count in
        try Companions(archive: archive, count: master.count, shape: master.shape).publish(
          images, count, columns: 16, details: [:])
      }
    }
  }
}

/// What stands beside an archive: the contact sheet `NAME.png` and the summary `NAME.json`.
struct Companions {
  let archive: String
  let count: Int
  /// [H, W, C].
  let shape: [Int]

  /// Publishes both.
  /// - Parameters:
  ///   - images: the first images, [number, H, W, C].
  ///   - number: how many.
  ///   - columns: images in a row.
  ///   - details: fields of the summary.
  func publish(_ images: [UInt8], _ number: Int, columns: Int, details: [String: JSONValue]) throws {
    var figures: [String: JSONValue] = ["archive": .string((archive as NSString).lastPathComponent)]
    // Images of other channels than gray and RGB have no picture.
    if [1, 3].contains(shape[2]) {
      let sheet = companion(of: archive, extension: "png")
      try ContactSheet.write(
        images: images, count: number, shape: ImageShape(height: shape[0], width: shape[1], channels: shape[2]),
        columns: columns, to: sheet)
      figures["contact_sheet"] = .string((sheet as NSString).lastPathComponent)
    }
    var fields = details
    fields["images"] = .int(count)
    fields["image_shape"] = .array(shape.map { .int($0) })
    fields["manifest"] = .string((SampleManifest.path(of: archive) as NSString).lastPathComponent)
    try publishSummary(output: archive, stage: "sample", figures: figures, details: fields)
  }
}
