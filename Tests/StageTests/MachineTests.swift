import Diagnostics
import Foundation
import Stage
import TestSupport
import Testing

@Suite("The limits of the machine")
struct MachineTests {
  private func write(_ text: String, _ path: String) throws {
    let folder = (path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  @Test("Version 2: the tightest limit of the group and those above it counts, reclaimable cache does not")
  func version2() throws {
    let root = try TemporaryFolder()
    try write("0::/user/job\n", root.file("proc/self/cgroup"))
    try write("max 100000\n", root.file("sys/fs/cgroup/user/job/cpu.max"))
    try write("150000 100000\n", root.file("sys/fs/cgroup/user/cpu.max"))
    try write("max\n", root.file("sys/fs/cgroup/user/job/memory.max"))
    try write("1000\n", root.file("sys/fs/cgroup/user/memory.max"))
    try write("700\n", root.file("sys/fs/cgroup/user/memory.current"))
    try write("anon 500\ninactive_file 200\n", root.file("sys/fs/cgroup/user/memory.stat"))
    let group = ControlGroup.current(root: root.path)
    #expect(group.processorQuota == 1.5)
    #expect(group.availableMemoryBytes == 500)
  }

  @Test("Version 1: quota and limit of the controllers' own mounts")
  func version1() throws {
    let root = try TemporaryFolder()
    try write("4:memory:/job\n3:cpu,cpuacct:/job\n", root.file("proc/self/cgroup"))
    try write("50000\n", root.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us"))
    try write("100000\n", root.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us"))
    try write("4096\n", root.file("sys/fs/cgroup/memory/job/memory.limit_in_bytes"))
    try write("96\n", root.file("sys/fs/cgroup/memory/job/memory.usage_in_bytes"))
    try write("9223372036854771712\n", root.file("sys/fs/cgroup/memory/memory.limit_in_bytes"))
    let group = ControlGroup.current(root: root.path)
    #expect(group.processorQuota == 0.5)
    #expect(group.availableMemoryBytes == 4000)
  }

  @Test("No limits, no groups: the machine's own figures")
  func unlimited() throws {
    let group = ControlGroup.current(root: try TemporaryFolder().path)
    #expect(group.processorQuota == nil && group.availableMemoryBytes == nil)
    #expect(Machine.availableThreads >= 1)
    #expect(Machine.memoryInfoBytes("MemAvailable", in: "MemTotal: 5 kB\nMemAvailable:    3 kB\n") == 3072)
  }

  @Test("Work that cannot have its memory is refused with both figures")
  func refusal() {
    #expect(throws: Never.self) { try Machine.requireMemory(1 << 20, for: "network.h5") }
    #expect { try Machine.requireMemory(1 << 60, for: "network.h5") } throws: { error in
      (error as? Failure)?.status == .unavailable && "\(error)".contains("needs 1024.0 PiB of memory")
    }
  }

  @Test("The table of a dry run names every figure")
  func estimate() {
    let table = Estimate(
      work: "sample 10 images", flops: 4.24e11, peakMemoryBytes: 3 << 20, diskBytes: 30720, hours: 0.5
    ).table
    for text in ["sample 10 images", "4.24e+11", "3.0 MiB", "30.0 KiB", "0.5 hours"] { #expect(table.contains(text)) }
  }
}
