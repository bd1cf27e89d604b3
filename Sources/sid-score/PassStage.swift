import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Scoring
import Stage

/// What the commands share: passes over images that can be interrupted, and an output with its provenance.
struct PassStage {
  let stage: String
  let output: String
  let provenance: Provenance
  let context: StageContext

  /// Whether the output is an npz file, by its name.
  static func isNpz(_ output: String) -> Bool { (output as NSString).pathExtension.lowercased() == "npz" }

  /// Whether the output stands there already, made from the same inputs.
  func isFinished() throws -> Bool {
    let state = try FinishedOutput.check(output, wanted: provenance, overwrite: context.options.overwrite) { path in
      guard Self.isNpz(path) else { return try HDF5File.open(path).root.stringAttribute("provenance") }
      // An npz has no place for it.
      let summary = try Data(contentsOf: URL(fileURLWithPath: companion(of: path, extension: "json")))
      return (try JSONSerialization.jsonObject(with: summary) as? [String: Any])?["provenance"] as? String
    }
    guard state == .same else { return false }
    removeScratch()
    context.note("\(output): made from the same inputs already; nothing to do")
    return true
  }

  /// Refuses what cannot be written or held, before the work; prints the estimate for a dry run.
  /// - Parameters:
  ///   - passes: the passes that will be made.
  ///   - kept: numbers that are kept of each image on the disk.
  /// - Returns: whether the work is to be done.
  func begin(_ passes: [FeaturePass], network: FeatureNetwork, kept: Int = 0) throws -> Bool {
    try AtomicFile.requireFolder(of: output)
    let images = passes.reduce(0) { $0 + $1.imageCount }
    let matrixBytes = 8 * network.featureCount * network.featureCount
    let estimate = Estimate(
      work: "\(stage): features of \(images) images",
      flops: network.flopsPerImage * Double(images),
      // Moments, covariances and their factors; a batch through the network; blocks of kept features.
      peakMemoryBytes: 12 * matrixBytes + network.memoryBytes(images: FeaturePass.batch)
        + (kept > 0 ? 2048 * 4 * (4 * network.featureCount + 4096) : 0) + 64 << 20,
      diskBytes: 4 * matrixBytes + 8 * images * kept + 1 << 20)
    if context.options.dryRun {
      estimate.print()
      return false
    }
    if let first = passes.first { try Machine.requireMemory(estimate.peakMemoryBytes, for: first.origin) }
    Threads.use(context.threads)
    return true
  }

  /// Makes a pass.
  /// - Parameter part: the name of a pass beside the main one.
  /// - Throws: `StopRequest.failure` where it was stopped; the same command continues.
  func gather(_ pass: FeaturePass, part: String = "") throws -> GatheredImages {
    let progress = context.progress(part.isEmpty ? stage : part, total: pass.imageCount, unit: "images")
    let gathered = try pass.run(
      scratch: scratch(part), identity: provenance.json, isStopRequested: { StopRequest.isRequested },
      progress: { progress.update(done: $0) })
    guard let gathered else { throw StopRequest.failure(output) }
    progress.finish()
    return gathered
  }

  /// Publishes the summary and then the output, and removes what was saved on the way.
  func publish(
    figures: [String: JSONValue], details: [String: JSONValue], _ write: (HDF5File) throws -> Void
  ) throws {
    try publishSummary(figures: figures, details: details)
    try HDF5File.publish(output) { file in
      try write(file)
      try stamp(file)
    }
    removeScratch()
  }

  /// Publishes the statistics of some images, as ours or as npz, after their summary.
  /// - Parameters:
  ///   - images: digests of the images.
  ///   - source: the images, where this run has read them.
  func publish(_ set: FeatureSet, images: [String], of source: ImageCollection? = nil) throws {
    let statistics = set.statistics
    var details: [String: JSONValue] = [
      "num_images": .int(statistics.imageCount), "features": .int(statistics.featureCount),
      "variance": .double(statistics.variance), "input_convention": .string(statistics.convention.rawValue),
      "rank": .int(try covarianceRank(statistics.covariance, size: statistics.featureCount)),
    ]
    details["feature_network"] = statistics.featureNetworkSHA256.map { .string($0) }
    if let source { (details["images"], details["left_out"]) = Self.census(source) }
    guard Self.isNpz(output) else {
      return try publish(figures: [:], details: details) { try set.write(to: $0, images: images) }
    }
    details["provenance"] = .string(provenance.json)
    try publishSummary(figures: [:], details: details)
    try statistics.publishNpz(output)
    removeScratch()
  }

  /// Says what sources of images left out, before the work.
  func noteLeftOut(_ sources: ImageCollection?...) {
    for note in sources.compactMap({ $0?.note }) { context.note(note) }
  }

  /// What a source of images gave and left out, for the summary.
  static func census(_ images: ImageCollection) -> (images: JSONValue, leftOut: JSONValue) {
    (.int(images.count), .object(images.leftOut.counts.mapValues { .int($0) }))
  }

  /// Marks a file as made by this run.
  func stamp(_ file: HDF5File) throws {
    try file.root.setAttribute("created_by", Version.line(context.program))
    try file.root.setAttribute("provenance", provenance.json)
  }

  private func publishSummary(figures: [String: JSONValue], details: [String: JSONValue]) throws {
    var details = details
    details["inputs"] = .object(
      provenance.inputs.mapValues { .object(["path": .string($0.path), "sha256": .string($0.sha256)]) })
    try Stage.publishSummary(output: output, stage: stage, figures: figures, details: details)
  }

  /// `.NAME` beside the output, and the part's name.
  private func scratch(_ part: String) -> String {
    let name = ((output as NSString).lastPathComponent as NSString).deletingPathExtension
    return AtomicFile.folder(of: output) + "/.\(name)" + (part.isEmpty ? "" : ".\(part)")
  }

  private func removeScratch() {
    for part in ["", Self.referencePart] { FeaturePass.removeScratch(scratch(part)) }
  }

  /// The pass over the images of a reference.
  static let referencePart = "reference"
}
