import Diagnostics
import Files
import Foundation
import Records
import Sampling

/// What the archive's network was trained on.
extension Reporting {
  /// A data set to compare the archive with.
  struct TrainingSet {
    let path: String
    let sha256: String
    /// What is to be said of it.
    let note: String?
  }

  /// The data set that was named, or that of the folder on which the archive's network was trained.
  /// - Returns: the set; or why it is not shown, nil where there is nothing to say.
  static func trainingSet(_ options: Options, of origin: Provenance?, in job: ReportedJob) throws -> (
    set: TrainingSet?, missing: String?
  ) {
    let wanted = dataset(of: origin, in: job)
    if let given = options.dataset {
      guard options.duplicates > 0 else { return (nil, "none were compared (--duplicates 0)") }
      let digest = try SHA256.hexDigest(ofFile: given)
      let isOther = wanted.map { $0.sha256 != digest } ?? false
      let note =
        isOther ? "This is another data set than \(wanted?.path ?? ""), which the network was trained on." : nil
      return (TrainingSet(path: given, sha256: digest, note: note), nil)
    }
    guard let wanted else { return (nil, nil) }
    guard options.duplicates > 0 else { return (nil, "none were compared (--duplicates 0)") }
    if let step = job.steps.first(where: { $0.outputSHA256 == wanted.sha256 }) {
      return (TrainingSet(path: job.path(step.output), sha256: wanted.sha256, note: nil), nil)
    }
    // A folder that was filled by hand.
    let place = job.path(wanted.path)
    if StepName.isBare(wanted.path), try BoundedFile.facts(place) != nil,
      try SHA256.hexDigest(ofFile: place) == wanted.sha256
    {
      return (TrainingSet(path: place, sha256: wanted.sha256, note: nil), nil)
    }
    return (
      nil,
      "the folder does not hold \(wanted.path), which the network was trained on (--dataset, in a job dataset, names it)"
    )
  }

  /// The data set at the end of the chain from an archive to its network, and where that was distilled to its teacher.
  private static func dataset(of origin: Provenance?, in job: ReportedJob) -> Provenance.Input? {
    var network = origin?.inputs["network"]
    // No longer than that is a chain of files that name each other by their digests.
    for _ in 0..<job.steps.count {
      guard let step = job.steps.first(where: { $0.outputSHA256 != nil && $0.outputSHA256 == network?.sha256 }),
        ["train", "distill"].contains(step.stage)
      else { return nil }
      if let dataset = step.origin?.inputs["dataset"] { return dataset }
      network = step.origin?.inputs["teacher"]
    }
    return nil
  }
}

/// Names that files say of other files.
private enum StepName {
  /// Whether it is the name of a file of the same folder.
  static func isBare(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.contains("/") && !name.utf8.contains(0)
  }
}
