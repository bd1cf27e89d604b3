import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Scoring
import Stage

/// What both commands share: a pass over images that can be interrupted, and an output with its provenance.
struct MomentsStage {
  let stage: String
  let output: String
  let provenance: Provenance
  let context: StageContext

  /// Whether the output stands there already, made from the same inputs.
  func isFinished() throws -> Bool {
    let state = try FinishedOutput.check(output, wanted: provenance, overwrite: context.options.overwrite) {
      try HDF5File.open($0).root.stringAttribute("provenance")
    }
    guard state == .same else { return false }
    MomentsPass.removeState(statePath)
    context.note("\(output): made from the same inputs already; nothing to do")
    return true
  }

  /// Gathers the moments of the selected images.
  /// - Returns: nil after a dry run.
  /// - Throws: `StopRequest.failure` where it was stopped; the same command continues.
  func moments(
    _ collection: ImageCollection, network: FeatureNetwork, convention: InputConvention = .native,
    selection: ImageSelection
  ) throws -> FeatureMoments? {
    try AtomicFile.requireFolder(of: output)
    let pass = try MomentsPass(collection, network: network, convention: convention, selection: selection)
    let matrixBytes = 8 * network.featureCount * network.featureCount
    let estimate = Estimate(
      work: "\(stage): features of \(pass.imageCount) images",
      flops: network.flopsPerImage * Double(pass.imageCount),
      // Moments, covariances and the eigenvectors of both; a batch of activations with its patches.
      peakMemoryBytes: 12 * matrixBytes + 16 * MomentsPass.batch * network.largestActivation + 64 << 20,
      diskBytes: 2 * matrixBytes + 1 << 20)
    if context.options.dryRun {
      estimate.print()
      return nil
    }
    try Machine.requireMemory(estimate.peakMemoryBytes, for: collection.path)
    Threads.use(context.threads)
    let progress = context.progress(stage, total: pass.imageCount, unit: "images")
    let moments = try pass.run(
      statePath: statePath, identity: provenance.json, isStopRequested: { StopRequest.isRequested },
      progress: { progress.update(done: $0) })
    guard let moments else { throw StopRequest.failure(output) }
    progress.finish()
    return moments
  }

  /// Publishes the summary and then the output, and removes the saved state.
  func publish(
    figures: [String: JSONValue], details: [String: JSONValue], _ write: (HDF5File) throws -> Void
  ) throws {
    var details = details
    details["inputs"] = .object(
      provenance.inputs.mapValues { .object(["path": .string($0.path), "sha256": .string($0.sha256)]) })
    try publishSummary(output: output, stage: stage, figures: figures, details: details)
    try HDF5File.publish(output) { file in
      try write(file)
      try file.root.setAttribute("created_by", Version.line(context.program))
      try file.root.setAttribute("provenance", provenance.json)
    }
    MomentsPass.removeState(statePath)
  }

  /// `.NAME.moments.h5` beside the output.
  private var statePath: String {
    let name = ((output as NSString).lastPathComponent as NSString).deletingPathExtension
    return AtomicFile.folder(of: output) + "/.\(name).moments.h5"
  }
}
