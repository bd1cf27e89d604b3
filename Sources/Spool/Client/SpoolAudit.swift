import JobFolder
import Diagnostics
import Files
import Foundation

/// What is wrong with a spool, as far as one may look.
public struct SpoolAudit {
  /// How bad something is.
  public enum Grade: String, Sendable {
    case ok, warning, problem
  }

  /// One thing that was looked at.
  public struct Finding: Sendable {
    /// How bad it is.
    public let grade: Grade
    /// What was found.
    public let text: String
  }

  let root: String
  let files = DiskFileSystem()
  /// Folders that could not be read, each reported once.
  private var unreadable: Set<String> = []
  /// What was found, in the order in which it was looked at.
  public private(set) var findings: [Finding] = []

  /// Looks at a spool.
  /// - Parameter root: its folder.
  public init(_ root: String) {
    self.root = root
    checkDaemon()
    checkPermissions()
    checkOrphans()
    checkIncoming()
    checkFiles()
    checkClock()
    checkDisk()
    checkIsolation()
  }

  /// Whether nothing is a problem.
  public var isSound: Bool { !findings.contains { $0.grade == .problem } }

  mutating func note(_ grade: Grade, _ text: String) { findings.append(Finding(grade: grade, text: text)) }

  private mutating func checkDaemon() {
    // Whoever holds the lock is listed by the kernel with the inode of the file.
    var status = stat()
    guard stat("\(root)/.lock", &status) == 0 else {
      return note(.problem, "no daemon has worked on this spool yet: start sid-spoold")
    }
    guard let locks = try? String(contentsOfFile: "/proc/locks", encoding: .utf8) else {
      return note(.warning, "/proc/locks cannot be read: whether a daemon runs is not known")
    }
    let holder = locks.split(separator: "\n").map { $0.split(separator: " ") }.first { fields in
      fields.count >= 6 && fields[1] == "FLOCK" && fields[5].hasSuffix(":\(status.st_ino)")
    }
    if let holder {
      note(.ok, "the daemon runs (process \(holder[4]))")
    } else {
      note(.problem, "no daemon runs: jobs are accepted and run when sid-spoold is started")
    }
  }

  private mutating func checkPermissions() {
    var problems = 0
    var lock = stat()
    // It belongs to the daemon, whatever it runs as.
    let daemon = lstat("\(root)/.lock", &lock) == 0 ? lock.st_uid : nil
    for name in ["", "incoming", "inputs"] + JobState.allCases.map(\.rawValue) {
      let path = name.isEmpty ? root : "\(root)/\(name)"
      var status = stat()
      guard lstat(path, &status) == 0 else {
        note(.problem, "\(path): is missing or not to be looked at; the daemon creates it when it starts")
        problems += 1
        continue
      }
      guard status.st_mode & S_IFMT == S_IFDIR else {
        note(.problem, "\(path): is no folder")
        problems += 1
        continue
      }
      if let daemon, daemon != 0, name != "inputs", name != "",
        status.st_uid != daemon || status.st_mode & 0o300 != 0o300
      {
        note(
          .problem,
          "\(path): belongs to \(Users.shown(status.st_uid)) with mode \(String(status.st_mode & 0o7777, radix: 8)), the daemon "
            + "is \(Users.shown(daemon)): jobs cannot be moved there; chown \(Users.shown(daemon)), chmod u+rwx")
        problems += 1
      }
      if name != "incoming" && name != "inputs", status.st_mode & 0o002 != 0 {
        note(.problem, "\(path): everybody may write there; chmod o-w")
        problems += 1
      }
      if name == "incoming" || name == "inputs", status.st_mode & 0o022 != 0, status.st_mode & S_ISVTX == 0 {
        note(
          .warning,
          "\(path): several users may write there and it is not sticky: they can remove each other's files; chmod +t")
        problems += 1
      }
    }
    if access("\(root)/incoming", W_OK) != 0 {
      note(.warning, "you may not submit: incoming/ is not writable for \(Users.shown(geteuid()))")
      problems += 1
    }
    if problems == 0 { note(.ok, "permissions") }
  }

  private mutating func checkOrphans() {
    var problems = 0
    let now = Date()
    for state in JobState.allCases {
      let folder = "\(root)/\(state.rawValue)"
      for name in list(folder) {
        guard let id = JobID(name) else {
          let isOwn = name.hasPrefix(".")
          note(
            isOwn ? .warning : .problem,
            "\(folder)/\(name): is no job\(isOwn ? "; the daemon settles it when it starts, and every 10 s" : "")")
          problems += 1
          continue
        }
        let status: JobStatus
        do {
          guard let known = try self.status(of: "\(folder)/\(name)") else { continue }
          status = known
        } catch {
          note(.problem, "\((error as? Failure)?.description ?? "\(folder)/\(name): its status.json is damaged")")
          problems += 1
          continue
        }
        if state.isFinal, status.state != state {
          note(.problem, "\(id): stands in \(state.rawValue)/ and says \(status.state.rawValue)")
          problems += 1
        }
        if state == .active, !status.isRunning, now.timeIntervalSince(status.started ?? now) > 60, status.step == nil {
          note(.warning, "\(id): stands in active/ and no step is at work")
          problems += 1
        }
      }
    }
    if problems == 0 { note(.ok, "jobs") }
  }

  /// The names in a folder; one that cannot be read is a finding.
  mutating func list(_ folder: String) -> [String] {
    do {
      return try files.names(in: folder)
    } catch {
      if !unreadable.contains(folder) { note(.problem, "\(error)") }
      unreadable.insert(folder)
      return []
    }
  }

  /// What a job's status says; nil where the job has gone to another folder meanwhile.
  /// - Throws: what keeps it from being read.
  func status(of folder: String) throws -> JobStatus? {
    do {
      return try JobStatus(
        json: files.read("\(folder)/\(JobFolderNames.status)", limitBytes: JobFolders.largestStatusBytes))
    } catch let failure as Failure where failure.status == .noInput {
      guard try files.entry(folder) != nil else { return nil }
      throw Failure(.dataError, "\(folder)/\(JobFolderNames.status)", "is missing")
    }
  }

  private mutating func checkClock() {
    let ids = JobState.allCases.flatMap { list("\(root)/\($0.rawValue)") }.compactMap { JobID($0) }
    let limit = JobID.stamp(Date() + 300)
    let future = ids.filter { $0.stamp > limit }
    if let first = future.min() {
      note(
        .warning,
        "\(future.count) jobs were accepted in the future (\(first)): the clock was set back; they run all the same")
    } else {
      note(.ok, "clock")
    }
  }

  private mutating func checkDisk() {
    var disk = statvfs()
    guard statvfs(root, &disk) == 0 else { return note(.problem, "\(root): its disk cannot be looked at") }
    let free = Int(clamping: UInt64(disk.f_bavail) &* UInt64(disk.f_frsize))
    let share = Double(disk.f_bavail) / Double(max(1, disk.f_blocks))
    let text = "\(free.formatted(.byteCount(style: .binary))) free (\(Int(share * 100)) %)"
    if disk.f_flag & UInt(ST_RDONLY) != 0 { note(.problem, "disk: \(root) is on a disk that is mounted read-only") }
    note(share < 0.02 ? .problem : share < 0.1 ? .warning : .ok, "disk: \(text)")
    if disk.f_files > 0, Double(disk.f_favail) / Double(disk.f_files) < 0.02 {
      note(.problem, "disk: only \(disk.f_favail) more files fit")
    }
  }

  private mutating func checkIsolation() {
    var problems = 0
    if !FileConfinement.isSupported {
      note(
        .warning,
        "the kernel has no Landlock (Linux 5.19 or later, with landlock in its lsm= list): stages can open what lies "
          + "outside the input roots")
      problems += 1
    }
    let links = try? String(contentsOfFile: "/proc/sys/fs/protected_hardlinks", encoding: .utf8)
    if links?.hasPrefix("0") == true {
      note(.warning, "fs.protected_hardlinks is 0: users can give files of others names in inputs/; set it to 1")
      problems += 1
    }
    let machines = SlurmMachines.read(root).values.sorted()
    for line in machines where SlurmMachines.lacksConfinement(line) {
      note(
        .warning,
        "node \(line.split(separator: " ").first ?? ""): its kernel has no Landlock (Linux 5.19 or later, with landlock in its "
          + "lsm= list), when a step ran there last: stages can open what lies outside the input roots")
      problems += 1
    }
    if !machines.isEmpty, let problem = SharedLock.problem(root) {
      note(.problem, "\(problem)")
      problems += 1
    }
    let nodes = machines.isEmpty ? "" : ", and on \(machines.count) node(s) of Slurm"
    if problems == 0 { note(.ok, "isolation of stages (Landlock \(FileConfinement.version)\(nodes))") }
  }
}
