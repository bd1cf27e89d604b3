import Diagnostics
import Files
import Foundation

/// How a daemon works on its spool.
public struct DaemonOptions: Sendable {
  /// The spool's root; created where it is missing.
  public var spool: String
  /// Beneath what job files may name inputs.
  public var inputRoots: [String]
  /// Where the stage programs are.
  public var programDirectory: String
  /// When a step is tried again and when it is given up.
  public var retry = RetryPolicy()
  /// How long a stage has to reach its checkpoint when the daemon is told to stop.
  public var stopTimeoutSeconds = 90.0
  /// Whether to end when no job is left.
  public var exitsWhenIdle = false

  /// - Parameters:
  ///   - spool: the spool's root.
  ///   - inputRoots: the spool's `inputs/` and the installed `pipeline/` unless given.
  ///   - programDirectory: the folder of this executable unless given.
  public init(spool: String, inputRoots: [String] = [], programDirectory: String? = nil) {
    let own = (Self.ownExecutable as NSString).deletingLastPathComponent
    self.spool = spool
    self.programDirectory = programDirectory ?? own
    let installed = (own as NSString).deletingLastPathComponent + "/share/sid/pipeline"
    self.inputRoots = inputRoots.isEmpty ? [spool + "/inputs", installed] : inputRoots
  }

  private static var ownExecutable: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  }

  /// The kernel's name for this boot of the machine.
  static func bootID() -> String {
    let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
  }

  /// The real path of a folder, which is created where it is missing.
  static func realFolder(_ path: String) throws -> String {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure.system(path, "create the folder") }
    return try realPath(path)
  }

  /// The real path of what exists; stages run in folders of their own, where a relative path would lead elsewhere.
  static func realPath(_ path: String) throws -> String {
    guard let real = realpath(path, nil) else { throw Failure.system(path, "open") }
    defer { free(real) }
    return String(cString: real)
  }
}
