import Archives
import ArgumentParser
import Compute
import Diagnostics
import Files
import Foundation
import OptionValues
import Records
import Sampling
import Stage

/// `sid-sample export ARCHIVE --to FORMAT`.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Convert an archive into what other tools read.",
    discussion: """
      edm-zip: EDM's data set, a stored zip of PNG files with dataset.json. npz: ADM's sample batch, arr_0 with the images, \
      arr_1 with the classes. webdataset: a folder of tar files. png: a folder of PNG files named by their seeds. hdf5: one \
      file without shards.
      """)

  @Argument(help: ArgumentHelp("The archive.", valueName: "archive"))
  var archive: String

  @Option(SampleValues.exportTo, as: ArchiveExport.Format.self, help: ArgumentHelp("The format.", valueName: "format"))
  var to: ArchiveExport.Format

  @Option(
    help: ArgumentHelp("The file or folder to write (default: beside the archive, by its name).", valueName: "path"))
  var output: String?

  @Flag(help: "A folder for every thousand seeds; png.")
  var subdirs = false

  @Option(SampleValues.tarImages, help: ArgumentHelp("Images of a tar file; webdataset.", valueName: "n"))
  var tarImages = 10_000

  @OptionGroup(title: "Stage") var stage: StageOptions

  func validate() throws {
    guard !subdirs || to == .png else { throw ValidationError("--subdirs belongs to --to png") }
  }

  func run() throws {
    let place = OutputPlace(
      output ?? to.output(beside: archive), kind: to.isFolder ? .folder : .file)
    StageProgram.run(SidSample.program, on: output ?? archive, options: stage, writing: [place]) { context in
      let export = ArchiveExport(to, subdirs: subdirs, imagesPerTar: tarImages)
      try ExportStage(archive: archive, output: output, export: export, context: context).run()
    }
  }
}

/// One conversion of an archive, with the record `OUTPUT.export.json` that recognizes it.
///
/// The record must come after the output, which it says is there. `OUTPUT.export.json.next` holds it before that, with the
/// inode that the output will have, for a run that is killed between the two.
struct ExportStage {
  let archive: String
  let output: String?
  let export: ArchiveExport
  let context: StageContext
  /// The digest of the archive's file, where it is known.
  var archiveSHA256: String?
  /// Whether what stands in its place is known to be an export that is to be made again.
  var replaces = false

  /// What an export leaves: the output and its record.
  static func paths(of output: String) -> [String] { [output, output + recordSuffix] }

  private var overwrites: Bool { replaces || context.options.overwrite }
  private static let recordSuffix = ".export.json"

  func run() throws {
    Threads.use(context.threads)
    let path = (output ?? export.format.output(beside: archive)).trimmingTrailingSlashes
    try AtomicFile.requireFolder(of: path)
    let reader = try SampleReader(archive)
    let record = try record(reader)
    let recordPath = path + Self.recordSuffix
    let nextPath = recordPath + ".next"
    func announcement(_ inode: UInt64) -> Data { Data("\(record)inode \(inode)\n".utf8) }
    if access(path, F_OK) == 0, !overwrites {
      func content(_ path: String) -> Data? { try? InputFile.content(of: path, limitBytes: 1 << 20) }
      if content(nextPath) == announcement(try AtomicFile.inode(of: path)) {
        try AtomicFile.publish(recordPath, data: Data(record.utf8))
      }
      guard content(recordPath) == Data(record.utf8) else {
        throw Failure(
          .cannotCreate, path, "exists, and is no such export of \(archive)",
          remedy: "choose another --output, or give --overwrite")
      }
      try removeAnnouncement(nextPath)
      return context.note("\(path): exported from the same archive already; nothing to do")
    }
    if context.options.dryRun {
      return print(
        "\(path): \(reader.count) images of \(reader.shape), \(reader.count * reader.shape.count) bytes of pixels")
    }
    // A record tells of an output that is there: it goes before the old one and comes before the new one.
    try AtomicFile.remove(recordPath)
    let progress = context.progress("export", total: reader.count, unit: "images")
    let isDone = try export.write(
      reader, to: path, replacing: overwrites, createdBy: Version.line(context.program),
      progressed: { progress.update(done: $0) }, shouldStop: { StopRequest.isRequested },
      willPublish: { try AtomicFile.publish(nextPath, data: announcement($0)) })
    progress.finish()
    guard isDone else { throw StopRequest.failure(path) }
    try AtomicFile.publish(recordPath, data: Data(record.utf8))
    try removeAnnouncement(nextPath)
  }

  private func removeAnnouncement(_ path: String) throws {
    try AtomicFile.remove(path)
    try AtomicFile.removeAbandonedPartials(of: [path])
  }

  private func record(_ reader: SampleReader) throws -> String {
    let digest = try archiveSHA256 ?? SHA256.hexDigest(ofFile: archive)
    return JSONValue.object([
      "format": .string(export.format.rawValue), "archive": .string((archive as NSString).lastPathComponent),
      "archive_sha256": .string(digest), "images": .int(reader.count), "subdirs": .bool(export.subdirs),
      "tar_images": .int(export.imagesPerTar), "created_by": .string(Version.line(context.program)),
    ]).prettyText
  }
}
