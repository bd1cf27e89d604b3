import CLinux
import Diagnostics
import Foundation

/// What this process may use: the limits of its control group count, not the machine's.
public enum Machine {
  /// Cores this process may use: its affinity, cut by the CPU quota. At least 1.
  public static var availableThreads: Int {
    let allowed = Int(sid_allowed_processors())
    let cores = allowed > 0 ? allowed : ProcessInfo.processInfo.activeProcessorCount
    guard let quota = ControlGroup.current().processorQuota else { return max(cores, 1) }
    return max(1, min(cores, Int(quota.rounded(.up))))
  }

  /// The processors that this process may run on, as the kernel lists them: "0-3,8".
  public static var allowedProcessors: String {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.map(String.init) ?? ""
  }

  /// Memory this process may still take, in bytes, page cache that gives way included.
  public static var availableMemoryBytes: Int {
    let machine = memoryInfoBytes(
      "MemAvailable", in: (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? "")
    return [machine, ControlGroup.current().availableMemoryBytes, dataLimitBytes].compactMap { $0 }.min() ?? .max
  }

  /// What the limit on this process's own memory (RLIMIT_DATA, which the daemon sets) leaves; nil where there is none.
  private static var dataLimitBytes: Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0, limit.rlim_cur < UInt(Int.max) else {
      return nil
    }
    let used =
      memoryInfoBytes("VmData", in: (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "") ?? 0
    return max(0, Int(limit.rlim_cur) - used)
  }

  /// The most memory that this process has had resident so far, in bytes; 0 where the system does not say.
  public static var peakMemoryBytes: Int {
    memoryInfoBytes("VmHWM", in: (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "") ?? 0
  }

  /// Refuses work that this process cannot have the memory for.
  /// - Throws: a `Failure` (`unavailable`) with both figures.
  public static func requireMemory(_ neededBytes: Int, for work: String, remedy: String? = nil) throws {
    let available = availableMemoryBytes
    guard neededBytes <= available else {
      throw Failure(
        .unavailable, work, "needs \(formatBytes(neededBytes)) of memory, \(formatBytes(available)) are available",
        remedy: remedy)
    }
  }

  /// The value of a line `NAME:  123 kB`.
  package static func memoryInfoBytes(_ name: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
      return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }.map {
        $0 * 1024
      }
    }
    return nil
  }
}

/// The limits of a control group, of version 2 or 1, the tightest of the group and those above it.
package struct ControlGroup: Sendable {
  /// CPU time per wall time; nil for no limit.
  package var processorQuota: Double?
  /// Memory left below the limit; nil for no limit.
  package var availableMemoryBytes: Int?

  /// The group of this process.
  /// - Parameter root: where `/proc` and `/sys` are found.
  package static func current(root: String = "") -> ControlGroup {
    let memberships = (try? String(contentsOfFile: root + "/proc/self/cgroup", encoding: .utf8)) ?? ""
    var result = ControlGroup()
    for line in memberships.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",").map(String.init)
      // Version 2 has one hierarchy with an empty controller list; version 1 has a mount for each list.
      let mounts = controllers.isEmpty ? [""] : controllers.map { "/" + $0 } + ["/" + fields[1]]
      for mount in mounts {
        for folder in ancestors(of: fields[2]) { result.tighten(by: root + "/sys/fs/cgroup" + mount + folder) }
      }
    }
    return result
  }

  private mutating func tighten(by folder: String) {
    let quota =
      text(folder + "/cpu.max").flatMap(Self.quotaV2)
      ?? Self.quotaV1(text(folder + "/cpu.cfs_quota_us"), text(folder + "/cpu.cfs_period_us"))
    if let quota { processorQuota = min(processorQuota ?? quota, quota) }
    let limit = [
      number(folder + "/memory.max"), number(folder + "/memory.high"), number(folder + "/memory.limit_in_bytes"),
    ]
    .compactMap { $0 }.filter { $0 < 1 << 60 }.min()
    guard let limit else { return }
    let used = number(folder + "/memory.current") ?? number(folder + "/memory.usage_in_bytes") ?? 0
    let statistics = text(folder + "/memory.stat") ?? ""
    let cache =
      statistics.split(separator: "\n").first { $0.hasPrefix("inactive_file ") || $0.hasPrefix("total_inactive_file ") }
      .flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    let left = max(0, limit - max(0, used - cache))
    availableMemoryBytes = min(availableMemoryBytes ?? left, left)
  }

  /// "200000 100000" is 2 processors, "max 100000" no limit.
  private static func quotaV2(_ text: String) -> Double? {
    let fields = text.split(separator: " ").map { Double($0) }
    guard fields.count == 2, let quota = fields[0], let period = fields[1], period > 0 else { return nil }
    return quota / period
  }

  private static func quotaV1(_ quota: String?, _ period: String?) -> Double? {
    guard let quota = quota.flatMap(Double.init), let period = period.flatMap(Double.init), quota > 0, period > 0 else {
      return nil
    }
    return quota / period
  }

  /// "/a/b" gives "/a/b", "/a" and "": a limit above binds too, and inside a container the path may not exist.
  private static func ancestors(of path: String) -> [String] {
    var parts = path.split(separator: "/").map(String.init)
    var result = [""]
    while !parts.isEmpty {
      result.append("/" + parts.joined(separator: "/"))
      parts.removeLast()
    }
    return result
  }

  private func text(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }
}
