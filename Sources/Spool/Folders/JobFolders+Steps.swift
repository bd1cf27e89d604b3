import Diagnostics
import Files
import JobFolder
import Queue
import Records

/// Which steps of a job are done.
extension JobFolders {
  /// Looks what stands in a job's folder.
  ///
  /// A step is done when its record is there, which its stage publishes last of all. Where a crash left less than that
  /// the stage is started once more: it recognises what it has made and goes on behind it.
  /// - Parameters:
  ///   - name: the step that is asked about.
  ///   - status: the job's.
  package func look(
    at job: JobFile, _ id: JobID, _ state: JobState = .active, after name: String?, _ status: JobStatus
  ) throws -> JobLook {
    let folder = folder(of: id, state)
    let names = Set(try files.names(in: folder))
    let steps = job.steps + [.checksums]
    let goesByRecords = status.records == true
    var problem: String?
    if let step = steps.first(where: { $0.name == name }) {
      problem = try self.problem(with: step, in: folder, names, goesByRecords: goesByRecords)
    }
    let next =
      problem != nil
      ? nil
      : try steps.firstIndex { try self.problem(with: $0, in: folder, names, goesByRecords: goesByRecords) != nil }
    return JobLook(steps: steps.map(\.plan), next: next, problem: problem, status: status)
  }

  /// What keeps a step from being done, in words; nil where nothing does.
  ///
  /// Jobs that a version before the records accepted go by the rule of that time: output and figures have their names.
  /// - Parameters:
  ///   - folder: the job's.
  ///   - names: what stands there.
  ///   - goesByRecords: what the job's status says.
  private func problem(with step: JobStep, in folder: String, _ names: Set<String>, goesByRecords: Bool) throws
    -> String?
  {
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

  /// Merges the figures of a job whose steps are all done.
  func publishSummary(_ status: JobStatus, _ id: JobID) throws {
    let folder = folder(of: id, .active)
    try files.publish(
      JobFolderNames.summary, in: folder, try Summary.json(of: status, steps: status.steps, in: folder, files))
  }

  /// Removes of a job of the queue what its retry is to make again, and what says of it that it is done.
  func discardOutputs(of id: JobID) throws {
    var status = try status(of: id, .queue)
    guard let first = status.discardsFrom else { return }
    let folder = folder(of: id, .queue)
    let job: JobFile
    do {
      job = try jobFile(of: id, .queue)
    } catch let failure as Failure where failure.status == .dataError {
      // Nobody knows what its steps are; it fails for that when it is looked at.
      return
    }
    let discarded = first.isEmpty ? [] : job.steps.drop { $0.name != first }
    // What says that something is done goes first and for good. A crash or an error here, or while the rest goes: some steps
    // of the job are not done, and the rest goes the next time.
    for name in [JobFolderNames.summary, JobFolderNames.checksums] + discarded.map(\.recordFile) {
      try files.remove("\(folder)/\(name)")
    }
    try files.synchronize(folder)
    if !discarded.isEmpty {
      try discard(Set(discarded.map(\.name)), among: job.steps.map(\.name), in: folder)
      try files.synchronize(folder)
    }
    status.discardsFrom = nil
    try write(status, of: id, .queue)
  }

  /// Removes everything of some steps, what is hidden included: parts, and drafts of records.
  private func discard(_ steps: Set<String>, among all: [String], in folder: String) throws {
    for file in try files.names(in: folder) where Self.owner(of: file, among: all).map(steps.contains) ?? false {
      try files.entry("\(folder)/\(file)")?.kind == .folder
        ? files.removeTree("\(folder)/\(file)") : files.remove("\(folder)/\(file)")
    }
  }

  /// The step that a file of a job's folder belongs to: the longest name that it begins with, behind the dot of a hidden one.
  static func owner(of file: String, among steps: [String]) -> String? {
    let name = file.hasPrefix(".") ? file.dropFirst() : file[...]
    return steps.filter { name.hasPrefix($0 + ".") || name.hasPrefix($0 + "-") }.max { $0.utf8.count < $1.utf8.count }
  }
}

extension JobStep {
  /// The step as the queue sees it.
  var plan: StepPlan {
    StepPlan(
      name: name, stage: stage.stage, program: stage.program, isOwn: isOwn, timeoutSeconds: limits.timeoutSeconds)
  }
}
