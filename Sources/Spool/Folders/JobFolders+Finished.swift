import JobFolder
import Diagnostics
import Records

/// Which steps of a job are done.
extension JobFolders {
  /// The first step of a job that is not finished, or nil.
  ///
  /// A step is finished when its record is there, which its stage publishes last of all. Where a crash left less than that
  /// the stage is started once more: it recognises what it has made and goes on behind it.
  package func nextStep(of job: JobFile, _ id: JobID, _ state: JobState = .active) throws -> JobStep? {
    let folder = folder(of: id, state)
    let names = Set(try files.names(in: folder))
    let goesByRecords = try status(of: id, state).records == true
    return try (job.steps + [.checksums]).first {
      try problem(with: $0, in: folder, names, goesByRecords: goesByRecords) != nil
    }
  }

  /// What keeps a step from being finished, in words; nil where nothing does.
  ///
  /// Jobs that a version before the records accepted go by the rule of that time: output and figures have their names.
  /// - Parameters:
  ///   - folder: the job's.
  ///   - names: what stands there.
  ///   - goesByRecords: what the job's status says.
  func problem(with step: JobStep, in folder: String, _ names: Set<String>, goesByRecords: Bool) throws -> String? {
    guard names.contains(step.recordFile) else {
      return "left no \(names.contains(step.outputFile) ? step.recordFile : step.outputFile)"
    }
    guard goesByRecords, !step.isOwn else {
      return names.contains(step.outputFile) ? nil : "left no \(step.outputFile)"
    }
    let isComplete = try record(step.recordFile, in: folder)?.isComplete ?? false
    return isComplete ? nil : "left a \(step.recordFile) that is no JSON object with its files"
  }

  /// A record, without its files; nil where it is none.
  private func record(_ name: String, in folder: String) throws -> StepRecord? {
    do {
      return StepRecord(
        json: try files.read("\(folder)/\(name)", limitBytes: StepRecord.largestBytes), keepsFiles: false)
    } catch let failure as Failure where failure.status == .dataError {
      // No plain file, or far too large.
      return nil
    }
  }
}
