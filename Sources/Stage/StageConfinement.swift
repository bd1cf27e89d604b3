import Diagnostics
import Files
import Foundation

/// Which files a stage of a job can open: what users supply is parsed in it, so it shall reach nothing else.
enum StageConfinement {
  /// The variable by which the daemon names the input roots: a JSON array of absolute paths.
  static let variable = "SID_INPUT_ROOTS"

  /// What the Swift runtime, OpenBLAS and this program read of the machine: libraries, time zones, limits, processors.
  private static let system = [
    "/usr", "/lib", "/lib64", "/etc", "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/sys",
    "/sys/devices/system", "/sys/kernel/mm", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero",
  ]

  /// Confines this process to the input roots and the folder it runs in, where the daemon names roots and the kernel can.
  /// - Throws: a `Failure` with status `usage` where the variable is malformed, `unavailable` where the kernel refuses.
  static func enter(_ environment: [String: String]) throws {
    guard let text = environment[variable] else { return }
    guard let roots = try? JSONDecoder().decode([String].self, from: Data(text.utf8)) else {
      throw Failure(.usage, variable, "a JSON array of folders was expected, found \"\(text.prefix(200))\"")
    }
    guard FileConfinement.isSupported else { return }
    try FileConfinement(readable: system + roots, changeable: [".", NSTemporaryDirectory(), "/dev/null"]).enforce()
  }
}
