import CHDF5
import Diagnostics
import Foundation

/// Reads a file of an old format in a child process first, because libhdf5 can be made to crash by a file.
///
/// `StructureCheck` knows the newer formats, and spares them the process.
enum FileTrial {
  /// Far more than the structure of the largest file takes.
  private static let processorSeconds: UInt32 = 3
  /// What the child may take beside what this process has, in bytes.
  private static let memoryBytes = 1 << 30

  /// Call with the library locked.
  /// - Throws: a `Failure` with status `dataError` where the child did not survive the file, `temporaryFailure` where that
  ///   says nothing of the file.
  static func run(_ path: String) throws {
    let signal = sid_h5_probe(path, addressSpaceBytes + memoryBytes, processorSeconds)
    guard signal >= 0 else {
      throw Failure(.temporaryFailure, path, "no process can be started to try it: \(String(cString: strerror(errno)))")
    }
    guard signal != SIGKILL else {
      throw Failure(.temporaryFailure, path, "the process that tries it was killed", remedy: "run it again")
    }
    guard signal == 0 else {
      throw Failure(
        .dataError, path,
        signal == SIGXCPU
          ? "libhdf5 does not come to an end with it: the file is damaged, or made to do that"
          : "libhdf5 ends by signal \(signal) when it reads it: the file is damaged, or made to do that",
        remedy: "make the file again")
    }
  }

  /// The address space of this process, in bytes.
  private static var addressSpaceBytes: Int {
    let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    return (text?.split(separator: " ").first.flatMap { Int($0) } ?? 1 << 26) * sysconf(Int32(_SC_PAGESIZE))
  }
}
