import Queue
import JobFolder
import Diagnostics
import Files
import Foundation

/// How a daemon works on its spool.
public struct DaemonOptions: Sendable {
  /// The spool's root; created where it is missing.
  public var spool: String
  /// Beneath what job files may name inputs; the spool's `inputs/` and the installed `pipeline/` where empty.
  public var inputRoots: [String] = []
  /// Where the stage programs are; the folder of this executable unless given.
  public var programDirectory: String?
  /// When a step is tried again and when it is given up.
  public var retry = RetryPolicy()
  /// How many steps run at once.
  public var slots = StageSlots()
  /// How many threads a stage gets whose job does not say; 0 for the processors divided by the slots.
  public var threads = 0
  /// What users may take.
  public var limits = QueueLimits()
  /// What every step may use at most.
  public var stageLimits = StepLimits()
  /// How long a stage has to reach its checkpoint when it is told to stop.
  public var stopTimeoutSeconds = 90.0
  /// How long finished jobs are kept, by the state they ended in.
  public var retention: [JobState: Retention] = [:]
  /// Whether a step stops, at its checkpoint, where a job of higher priority lacks its slot.
  public var preempts = false
  /// Which kinds of steps are handed to Slurm.
  public var slurmStages: Set<String> = []
  /// How Slurm is used.
  public var slurm = SlurmOptions()
  /// Where metrics are written in Prometheus' text format; nil for nowhere.
  public var metricsFile: String?
  /// Whether to end when no job is left.
  public var exitsWhenIdle = false

  /// - Parameter spool: the spool's root.
  public init(spool: String) { self.spool = spool }

  /// The folder that programs are found in unless `programDirectory` says otherwise.
  static var ownDirectory: String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return own.parentFolder
  }

  var roots: [String] {
    let installed = Self.ownDirectory.parentFolder + "/share/sid/pipeline"
    return inputRoots.isEmpty ? [spool + "/inputs", installed] : inputRoots
  }

  /// The threads of a stage whose job does not say; nil for the stage's own default.
  var threadsPerStage: Int? {
    if threads > 0 { return threads }
    return slots.total == 1 ? nil : max(1, ProcessInfo.processInfo.activeProcessorCount / slots.total)
  }

  /// The kernel's name for this boot of the machine.
  /// - Throws: a `Failure` where it cannot be read now; two boots must not look like one.
  static func bootID() throws -> String {
    let path = "/proc/sys/kernel/random/boot_id"
    if access(path, F_OK) != 0, errno == ENOENT { return try bootTime() }
    // Files of the kernel have no size.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { throw Failure.system(path, "read") }
    return String(decoding: bytes.prefix(count), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// When the machine was booted, where it gives its boots no names.
  private static func bootTime() throws -> String {
    let path = "/proc/stat"
    let lines = try? String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    guard let line = lines?.first(where: { $0.hasPrefix("btime ") }) else {
      throw Failure(.ioError, path, "does not say when the machine was booted", remedy: "mount /proc")
    }
    return String(line)
  }

  /// The real path of a folder, which is created where it is missing.
  static func realFolder(_ path: String) throws -> String {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure.system(path, "create the folder") }
    return try RealPath.of(path)
  }
}
