import Diagnostics
import Files
import Foundation
import JobFolder
import Queue

/// What an attempt leaves in the job's folder: `.slurm-1795384500000`, named after the last part of its handle's task.
///
/// **An attempt may begin only while this folder stands**: a batch job takes the lock of the job's folder first, and then looks
/// for it. Whoever removes it under the lock has taken the attempt back, whatever Slurm may still have of it: of a submission
/// whose answer was lost nothing can begin any more. How its jobs ended they write here themselves, so that nothing has to be
/// believed of what Slurm remembers.
struct SlurmAttempt: Equatable {
  private static let prefix = ".slurm-"
  private static let largestBytes = 1 << 20

  /// What is known of it from its start on.
  struct Plan: Codable, Equatable {
    /// The stage program's name.
    var program: String
    /// What appears last of the step.
    var record: String
    /// The step's name.
    var step: String
    /// How many tasks the array has; 1 for none.
    var shares: Int
    /// What sbatch is told for the job that closes an array.
    var closing: [String]?
  }

  /// The job's folder.
  let folder: String
  /// What its handle names: `ID/STEP/1795384500000`. Slurm's jobs are called so.
  let task: String
  let plan: Plan

  /// Its folder's name.
  var name: String { Self.name(task) }
  var path: String { "\(folder)/\(name)" }
  static func name(_ task: String) -> String { prefix + (task.split(separator: "/").last ?? "") }

  /// What its jobs are called.
  func jobName(isClosing: Bool) -> String { isClosing ? task + "/close" : task }

  /// Makes it. To be called under the lock of the job's folder.
  init(folder: String, task: String, plan: Plan, scripts: [String: String]) throws {
    (self.folder, self.task, self.plan) = (folder, task, plan)
    let files = DiskFileSystem()
    try files.createFolder(path)
    for (name, text) in scripts { try files.write("\(path)/\(name)", Array(text.utf8)) }
    try files.write("\(path)/plan", Array(try JSONEncoder().encode(plan)))
    // What makes it an attempt comes last.
    try files.publish("task", in: path, Array((task + "\n").utf8))
    try files.synchronize(folder)
  }

  /// Finds it; nil where there is none of this task.
  /// - Throws: a `Failure` where that cannot be seen now.
  init?(folder: String, task: String) throws {
    let path = "\(folder)/\(Self.name(task))"
    let files = DiskFileSystem()
    guard try files.entry("\(path)/task") != nil else { return nil }
    guard try String(decoding: files.read("\(path)/task", limitBytes: 4096), as: UTF8.self) == task + "\n",
      let plan = try? JSONDecoder().decode(
        Plan.self, from: Data(files.read("\(path)/plan", limitBytes: Self.largestBytes)))
    else { return nil }
    (self.folder, self.task, self.plan) = (folder, task, plan)
  }

  /// The tasks of the attempts in a job's folder.
  static func tasks(in folder: String) throws -> [String] {
    let files = DiskFileSystem()
    return try files.names(in: folder).filter { $0.hasPrefix(prefix) }.compactMap { name in
      let path = "\(folder)/\(name)/task"
      guard try files.entry(path) != nil else { return nil }
      return String(decoding: try files.read(path, limitBytes: 4096), as: UTF8.self).trimmingCharacters(in: .newlines)
    }
  }

  /// Takes back every attempt of a job's folder, and removes what they left. To be called under the folder's lock, or when
  /// nothing of them is at work any more.
  static func removeAll(in folder: String) throws {
    let files = DiskFileSystem()
    for name in try files.names(in: folder) where name.hasPrefix(prefix) {
      // First what makes it one.
      try files.remove("\(folder)/\(name)/task")
      try files.removeTree("\(folder)/\(name)")
    }
  }

  // MARK: What its jobs write

  /// Whether the array is over and the job that closes it is under way.
  var isClosing: Bool { plan.shares > 1 && access("\(path)/closing", F_OK) == 0 }

  /// Notes that the job that closes the array is being submitted.
  func beginClosing() throws {
    let files = DiskFileSystem()
    try files.publish("closing", in: path, [])
  }

  /// Takes that back: it was not submitted.
  func endClosing() { try? DiskFileSystem().remove("\(path)/closing") }

  private func suffixes(isClosing: Bool) -> [String] {
    isClosing ? ["-close"] : plan.shares > 1 ? (1...plan.shares).map { "-\($0)" } : [""]
  }

  /// How its jobs ended, as far as they have: nil for those that have not written it.
  func ends(isClosing: Bool) throws -> [Int32?] {
    try suffixes(isClosing: isClosing).map { suffix in
      try text("end\(suffix)").flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
  }

  /// Whether any of its jobs has begun.
  func hasBegun(isClosing: Bool) -> Bool {
    suffixes(isClosing: isClosing).contains { access("\(path)/begun\($0)", F_OK) == 0 }
  }

  /// The machines that its jobs ran on, with what their kernels have: `n1 6.1.0 landlock=3`.
  func machines() -> [String] {
    (try? text("machines"))?.split(whereSeparator: \.isNewline).map { String($0.prefix(300)).oneLine } ?? []
  }

  /// Where its jobs report.
  func progressFiles(isClosing: Bool) -> [String] { suffixes(isClosing: isClosing).map { "\(path)/progress\($0)" } }

  /// The number of its job, as far as it is known.
  func number(isClosing: Bool) -> Int? {
    (try? text(isClosing ? "number-close" : "number")).flatMap {
      Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }

  /// Keeps the number; where it cannot, the job is found by its name.
  func keep(number: Int, isClosing: Bool) {
    try? DiskFileSystem().publish(isClosing ? "number-close" : "number", in: path, Array("\(number)\n".utf8))
  }

  private func text(_ name: String) throws -> String? {
    let files = DiskFileSystem()
    guard try files.entry("\(path)/\(name)") != nil else { return nil }
    do {
      return String(decoding: try files.read("\(path)/\(name)", limitBytes: Self.largestBytes), as: UTF8.self)
    } catch let failure as Failure where failure.status == .dataError {
      // A stage has put something else there.
      return nil
    }
  }
}
