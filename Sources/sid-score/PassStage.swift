import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Records
import Scoring
import Stage

/// What the commands share: passes over images that can be interrupted, and an output with its provenance.
struct PassStage {
  let stage: String
  let output: String
  let provenance: Provenance
  let context: StageContext
  /// Whether shares of its pass may stand beside the output.
  var hasShares = false

  /// Whether the output is an npz file, by its name.
  static func isNpz(_ output: String) -> Bool { (output as NSString).pathExtension.lowercased() == "npz" }

  private var recorder: StepRecorder { StepRecorder(output: output, stage: stage) }

  /// Whether output and record stand there already, made from the same inputs.
  ///
  /// Where a run was cut short between the two, the record is completed.
  /// - Parameters:
  ///   - companions: other files of the step, which say their provenance as the output does.
  ///   - reread: figures and details as the output itself tells them, for one whose record was lost.
  func isFinished(companions: [String] = [], reread: () throws -> RecordContent) throws -> Bool {
    guard try isMade(), let existing = try existingProvenance(output) else { return false }
    let files = [output] + companions
    if try !recorder.isFinished(wanted: provenance, promising: files) {
      let areThere = companions.allSatisfy { (try? existingProvenance($0)) == existing }
      guard areThere, !context.options.dryRun else { return false }
      if try recorder.kept(provenance: existing) == nil {
        let content = try reread()
        try recorder.keep(figures: content.figures, details: withInputs(content.details), provenance: existing)
      }
      try removeScratch()
      try recorder.publish(provenance: existing, files: files)
    }
    try removeScratch()
    context.note("\(output): made from the same inputs already; nothing to do")
    return true
  }

  /// Whether the output stands there already, made from the same inputs.
  func isMade() throws -> Bool {
    try FinishedOutput.check(
      output, wanted: provenance, overwrite: context.options.overwrite, existingProvenance: existingProvenance) == .same
  }

  private func existingProvenance(_ path: String) throws -> String? {
    guard Self.isNpz(path) else { return try HDF5File.open(path).root.stringAttribute("provenance") }
    // An npz has no place for it.
    return try recorder.recordedProvenance()
  }

  /// Refuses what cannot be written or held, before the work; prints the estimate for a dry run.
  /// - Parameters:
  ///   - passes: the passes that will be made.
  ///   - kept: numbers that are kept of each image on the disk.
  ///   - isShare: whether it is a share of the work, which leaves the record alone.
  /// - Returns: whether the work is to be done.
  func begin(_ passes: [FeaturePass], network: FeatureNetwork, kept: Int = 0, isShare: Bool = false) throws -> Bool {
    try AtomicFile.requireFolder(of: output)
    let images = passes.reduce(0) { $0 + $1.imageCount }
    let rows = passes.reduce(0) { $0 + $1.rowCount }
    let segmentBytes = passes.reduce(0) { $0 + $1.segmentBytes }
    let matrixBytes = 8 * network.featureCount * network.featureCount
    let estimate = Estimate(
      work: "\(stage): features of \(images) images",
      flops: network.flopsPerImage * Double(images),
      // Moments, covariances and their factors; a batch through the network; blocks of kept features.
      peakMemoryBytes: 12 * matrixBytes + network.memoryBytes(images: FeaturePass.batch)
        + (kept > 0 ? 2048 * 4 * (4 * network.featureCount + 4096) : 0) + 64 << 20,
      diskBytes: 4 * matrixBytes + 8 * rows * kept + 2 * segmentBytes + 1 << 20)
    if context.options.dryRun {
      estimate.print()
      return false
    }
    if let first = passes.first { try Machine.requireMemory(estimate.peakMemoryBytes, for: first.origin) }
    // An npz cannot say what it was made from; it keeps its record until it is replaced.
    if !Self.isNpz(output), !isShare { try recorder.begin(overwrite: context.options.overwrite) }
    Threads.use(context.threads)
    return true
  }

  /// Makes a pass.
  /// - Parameters:
  ///   - part: the name of a pass beside the main one.
  ///   - shareScratch: the beginning of the names of what is saved of a share.
  /// - Throws: `StopRequest.failure` where it was stopped; the same command continues.
  func gather(_ pass: FeaturePass, part: String = "", shareScratch: String? = nil) throws -> GatheredImages {
    let progress = context.progress(part.isEmpty ? stage : part, total: pass.imageCount, unit: "images")
    let gathered = try pass.run(
      scratch: shareScratch ?? scratch(part), identity: provenance.json, isStopRequested: { StopRequest.isRequested },
      progress: { progress.update(done: $0) })
    guard let gathered else { throw StopRequest.failure(output) }
    progress.finish()
    return gathered
  }

  /// Publishes the output, removes what was saved on the way, and publishes the record.
  /// - Parameter companions: other files of the step, which are there.
  func publish(
    _ content: RecordContent, companions: [String] = [], _ write: (HDF5File) throws -> Void
  ) throws {
    try recorder.begin(overwrite: context.options.overwrite)
    try recorder.keep(figures: content.figures, details: withInputs(content.details), provenance: provenance.json)
    try HDF5File.publish(output) { file in
      try write(file)
      try stamp(file)
    }
    try close(companions)
  }

  /// Publishes the statistics of some images, as ours or as npz.
  /// - Parameters:
  ///   - images: digests of the images.
  ///   - source: the images, where this run has read them.
  func publish(_ set: FeatureSet, images: [String], of source: ImageCollection? = nil) throws {
    let content = try RecordContent(statistics: set.statistics).counting(source)
    guard Self.isNpz(output) else { return try publish(content) { try set.write(to: $0, images: images) } }
    // An old one goes before a draft tells of the new one.
    try AtomicFile.remove(output)
    try recorder.begin(overwrite: true)
    try recorder.keep(figures: content.figures, details: withInputs(content.details), provenance: provenance.json)
    try set.statistics.publishNpz(output)
    try close([])
  }

  private func close(_ companions: [String]) throws {
    try removeScratch()
    try recorder.publish(provenance: provenance.json, files: [output] + companions)
  }

  /// Says what sources of images left out, before the work.
  func noteLeftOut(_ sources: ImageCollection?...) {
    for note in sources.compactMap({ $0?.note }) { context.note(note) }
  }

  /// Whether a file beside the output was published by a run of this work that was cut short.
  func isMade(_ companion: String) -> Bool {
    guard !context.options.overwrite, access(companion, F_OK) == 0 else { return false }
    // What cannot be read is written anew.
    return (try? existingProvenance(companion)) == provenance.json
  }

  /// Marks a file as made by this run.
  func stamp(_ file: HDF5File) throws {
    try file.root.setAttribute("created_by", Version.line(context.program))
    try file.root.setAttribute("provenance", provenance.json)
  }

  private func withInputs(_ details: [String: JSONValue]) -> [String: JSONValue] {
    var details = details
    details["inputs"] = .object(
      provenance.inputs.mapValues { .object(["path": .string($0.path), "sha256": .string($0.sha256)]) })
    return details
  }

  /// `.NAME` beside the output, and the part's name.
  private func scratch(_ part: String) -> String {
    let name = ((output as NSString).lastPathComponent as NSString).deletingPathExtension
    return AtomicFile.folder(of: output) + "/.\(name)" + (part.isEmpty ? "" : ".\(part)")
  }

  private func removeScratch() throws {
    for part in ["", Self.referencePart] { try FeaturePass.removeScratch(scratch(part)) }
    if hasShares { try ShareFiles(beside: output).removeAll() }
  }

  /// The pass over the images of a reference.
  static let referencePart = "reference"
}
