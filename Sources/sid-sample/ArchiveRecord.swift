import Archives
import Diagnostics
import Files
import Foundation
import Images
import Records
import Sampling
import Stage

/// What stands beside an archive, and the record of all of it: contact sheet `NAME.png`, manifest, shards, exports.
struct ArchiveRecord {
  let archive: String
  /// Images in a row of the contact sheet, and its rows.
  let sheet: (columns: Int, rows: Int)
  let context: StageContext

  /// An export as a folder of files has so many at most: each is named in the record.
  static let mostExportedFiles = 2_000_000

  var recorder: StepRecorder { StepRecorder(output: archive, stage: "sample") }
  private var sheetPath: String { companion(of: archive, extension: "png") }

  /// What is published before the archive takes its name: the contact sheet, and what only the making can tell.
  /// - Parameters:
  ///   - images: the first images, [number, H, W, C].
  ///   - number: how many.
  ///   - count: images of the archive.
  ///   - shape: [H, W, C].
  ///   - provenance: the archive's.
  ///   - details: fields of the record.
  func keep(
    _ images: [UInt8], _ number: Int, count: Int, shape: ImageShape, provenance: String,
    details: [String: JSONValue] = [:]
  ) throws {
    var figures: [String: JSONValue] = ["archive": .string((archive as NSString).lastPathComponent)]
    if Self.hasSheet(shape) {
      try writeSheet(images, number, shape)
      figures["contact_sheet"] = .string((sheetPath as NSString).lastPathComponent)
    }
    var fields = details
    fields["images"] = .int(count)
    fields["image_shape"] = .array([shape.height, shape.width, shape.channels].map { .int($0) })
    fields["manifest"] = .string((SampleManifest.path(of: archive) as NSString).lastPathComponent)
    try recorder.keep(figures: figures, details: fields, provenance: provenance)
  }

  /// Images of other channels than gray and RGB have no picture.
  private static func hasSheet(_ shape: ImageShape) -> Bool { [1, 3].contains(shape.channels) }

  private func writeSheet(_ images: [UInt8], _ number: Int, _ shape: ImageShape) throws {
    try ContactSheet.write(images: images, count: number, shape: shape, columns: sheet.columns, to: sheetPath)
  }

  /// Whether nothing is left to do for an archive that is there; what an interrupted run has left beside it goes.
  /// - Parameters:
  ///   - wanted: what it would be made from now.
  ///   - exports: the conversions that are asked for.
  func isFinished(wanted: Provenance, exports: [ArchiveExport.Format]) throws -> Bool {
    let promised = try files(SampleReader(archive), exports: exports)
    guard try recorder.isFinished(wanted: wanted, promising: promised) else { return false }
    try SampleArchiveFormat.removeLeftovers(of: archive)
    return true
  }

  /// Makes what belongs to an archive that is there, as far as it is missing, and publishes the record.
  /// - Parameters:
  ///   - exports: the conversions that are asked for; those that an earlier record names are made again where they are gone.
  ///   - known: digests that are known already, by path.
  ///   - details: fields of the record, where nothing was kept of the making.
  func complete(
    exports: [ArchiveExport.Format], sha256 known: [String: String] = [:], details: [String: JSONValue] = [:]
  ) throws {
    let reader = try SampleReader(archive)
    let first = min(reader.count, sheet.columns * sheet.rows)
    let isKept = try recorder.kept(provenance: reader.provenance) != nil
    if !isKept {
      try keep(
        reader.images(0..<first), first, count: reader.count, shape: reader.shape, provenance: reader.provenance,
        details: details)
    } else if Self.hasSheet(reader.shape), access(sheetPath, F_OK) != 0 {
      try writeSheet(reader.images(0..<first), first, reader.shape)
    }
    var sha256 = known
    if !isKept || access(SampleManifest.path(of: archive), F_OK) != 0 {
      sha256 = try SampleManifest.restore(of: reader, sha256: sha256, digest: { try SHA256.hexDigest(ofFile: $0) })
    }
    let own = try sha256[archive] ?? SHA256.hexDigest(ofFile: archive)
    sha256[archive] = own
    let earlier = try recorder.found()
    let missing = try earlier.map { try recorder.missing(from: $0) } ?? []
    let exports = exports + recordedExports(earlier).filter { !exports.contains($0) }
    for format in exports {
      // One of which a part is gone is made again as a whole; the record says that it is ours.
      try ExportStage(
        archive: archive, output: nil, export: ArchiveExport(format), context: context, archiveSHA256: own,
        replaces: missing.contains { isOf(format, $0) }
      ).run()
    }
    try SampleArchiveFormat.removeLeftovers(of: archive)
    try recorder.publish(
      provenance: reader.provenance, files: files(reader, exports: exports), digests: sha256)
  }

  /// The conversions that an earlier record names.
  private func recordedExports(_ record: StepRecord?) -> [ArchiveExport.Format] {
    let names = record?.files?.map(\.name) ?? []
    return ArchiveExport.Format.allCases.filter { format in names.contains { isOf(format, $0) } }
  }

  /// Whether a file of the record belongs to an export: the file, one in the folder, or the export's own record.
  private func isOf(_ format: ArchiveExport.Format, _ name: String) -> Bool {
    let first = name.split(separator: "/").first.map(String.init)
    return ExportStage.paths(of: format.output(beside: archive)).contains {
      ($0 as NSString).lastPathComponent == first
    }
  }

  private func beside(_ name: String) -> String { (archive.parentFolder as NSString).appendingPathComponent(name) }

  /// Every file and folder of the step.
  private func files(_ reader: SampleReader, exports: [ArchiveExport.Format]) -> [String] {
    var files = [archive] + (reader.shards ?? []).map { beside($0.file) }
    if Self.hasSheet(reader.shape) { files.append(sheetPath) }
    if SampleManifest.isDue(reader) { files.append(SampleManifest.path(of: archive)) }
    return files + exports.flatMap { ExportStage.paths(of: $0.output(beside: archive)) }
  }
}
