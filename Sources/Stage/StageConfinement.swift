import CLinux
import Diagnostics
import Files
import Foundation

/// What a process does besides its work that its confinement has to leave open.
public enum StageProfile: Sendable {
  /// Nothing: files beneath the input roots, and the folder it runs in.
  case alone
  /// It exchanges messages with others of its kind: by the network, by memory they share under `/dev/shm`, and by what the
  /// launcher keeps for them under PMIX_SERVER_TMPDIR and, where that is Slurm, SLURM_PMIX_TMPDIR.
  case rank

  /// The variable by which the daemon names the input roots: a JSON array of absolute paths.
  public static let rootsVariable = "SID_INPUT_ROOTS"

  /// Folders and devices that may be changed, too. What is not there is passed over.
  func changeable(_ environment: [String: String]) -> [String] {
    switch self {
    case .alone: []
    case .rank:
      ["/dev/shm", "/dev/infiniband"]
        + [environment["PMIX_SERVER_TMPDIR"], Self.stepFolder(environment)].compactMap { $0 }.filter {
          $0.hasPrefix("/")
        }
    }
  }

  /// What Slurm's PMIx plugin keeps for the ranks of a step; it names the folder to nobody. Without the variable it lies in TmpFS of
  /// slurm.conf, which is `/tmp` unless a site says otherwise.
  private static func stepFolder(_ environment: [String: String]) -> String? {
    guard let job = environment["SLURM_JOB_ID"], let step = environment["SLURM_STEP_ID"], Int(job) != nil,
      Int(step) != nil
    else { return nil }
    return "\(environment["SLURM_PMIX_TMPDIR"] ?? "/tmp")/spmix_appdir_\(getuid())_\(job).\(step)"
  }

  /// Files that may be read, too.
  var readable: [String] {
    switch self {
    case .alone: []
    case .rank:
      [
        "/etc/openmpi", "/usr/share/openmpi", "/usr/share/pmix", "/etc/hosts", "/etc/resolv.conf", "/sys/class",
        "/sys/bus",
      ]
    }
  }

  /// For the user: what confines the ranks of which this process is one.
  public static func ofRanks(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
    guard environment[rootsVariable] != nil, FileConfinement.isSupported else { return "not confined" }
    return "confined to the input roots and the folder it runs in, with the network and the memory that MPI shares"
  }
}

/// Which files a stage of a job can open: what users supply is parsed in it, so it shall reach nothing else.
enum StageConfinement {
  private static let variable = StageProfile.rootsVariable

  /// What the Swift runtime, OpenBLAS, OpenSSL and this program read of the machine: libraries, users' names, time zones,
  /// limits, processors.
  ///
  /// Of `/proc` all may be read, not this process's part alone: libdispatch looks at its threads under `/proc/TID/stat` while
  /// they wait, and ends the process by a trap where it cannot. What is another process's own there (memory, environment,
  /// descriptors) stays closed: who is under Landlock may not trace a process outside, and reading it counts as that. Root's
  /// leave to do so all the same is given up.
  private static let system = [
    "/usr/lib", "/usr/share/zoneinfo", "/lib", "/lib64", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
    "/etc/localtime", "/etc/ssl/openssl.cnf", "/proc", "/sys/devices/system", "/sys/kernel/mm", "/sys/fs/cgroup",
    "/dev/urandom", "/dev/random", "/dev/zero",
  ]

  /// Confines this process to the input roots and the folder it runs in, where the daemon names roots.
  ///
  /// Where the kernel cannot, the process goes on without, and says so.
  /// - Throws: a `Failure` with status `usage` where the variable is malformed, `unavailable` where the kernel refuses.
  static func enter(_ environment: [String: String], _ profile: StageProfile, program: String) throws {
    guard let text = environment[variable] else { return }
    guard let roots = try? JSONDecoder().decode([String].self, from: Data(text.utf8)) else {
      throw Failure(.usage, variable, "a JSON array of folders was expected, found \"\(text.prefix(200))\"")
    }
    guard FileConfinement.isSupported else {
      return StandardError.write("\(program): not confined to the input roots: no Landlock here\n")
    }
    if !FileConfinement.isOnlyThread, StartAgain.leavesThreadsOut(environment) { try StartAgain.now() }
    // Files without a name go to the job's folder, too.
    setenv("TMPDIR", FileManager.default.currentDirectoryPath, 1)
    guard sid_drop_tracing() == 0 else {
      throw Failure(.unavailable, "capabilities", "cannot be given up: \(String(cString: strerror(errno)))")
    }
    try FileConfinement(
      readable: system + profile.readable + roots, changeable: [".", "/dev/null"] + profile.changeable(environment),
      allowsNetwork: profile == .rank
    ).enforce()
  }
}
