import Foundation

/// What a piece of work will take: the answer of `--dry-run`.
public struct Estimate: Sendable {
  /// What would be done: "sample 50000 images, one step".
  public var work: String
  /// Floating-point operations of the networks, a multiply-add counted as two.
  public var flops: Double
  /// Memory at its peak.
  public var peakMemoryBytes: Int
  /// Disk space that the outputs and the resumable state take.
  public var diskBytes: Int
  /// Expected time on this machine; nil if nothing is known about its speed.
  public var hours: Double?
  /// What computes meanwhile, if not this process alone: "4 ranks of 2 threads".
  public var workers: String?

  /// - Parameters:
  ///   - work: what would be done.
  ///   - flops: floating-point operations of the networks.
  ///   - peakMemoryBytes: memory at its peak.
  ///   - diskBytes: disk space of outputs and state.
  ///   - hours: expected time on this machine, nil if unknown.
  ///   - workers: what computes meanwhile; nil for this process.
  public init(
    work: String, flops: Double, peakMemoryBytes: Int, diskBytes: Int, hours: Double? = nil, workers: String? = nil
  ) {
    self.work = work
    self.flops = flops
    self.peakMemoryBytes = peakMemoryBytes
    self.diskBytes = diskBytes
    self.hours = hours
    self.workers = workers
  }

  /// The same in a line, for a run that begins.
  public var sentence: String {
    "\(work), \(String(format: "%.3g", flops)) FLOPs, \(formatBytes(peakMemoryBytes)) of memory"
      + (hours.map { ", about \(String(format: "%.3g", $0)) hours" } ?? "") + (workers.map { " on \($0)" } ?? "")
  }

  /// A small table, one figure a line.
  public var table: String {
    let rows = [
      ("work", work),
      ("FLOPs", String(format: "%.3g", flops)),
      ("peak memory", "\(formatBytes(peakMemoryBytes)) of \(formatBytes(Machine.availableMemoryBytes)) available"),
      ("disk", formatBytes(diskBytes)),
      (
        "expected",
        hours.map {
          "\(String(format: "%.3g", $0)) hours on \(workers ?? "\(Machine.availableThreads) threads")"
        } ?? "unknown"
      ),
    ]
    return rows.map { $0.0.padding(toLength: 13, withPad: " ", startingAt: 0) + $0.1 }.joined(separator: "\n")
  }

  /// Prints the table on standard output.
  public func print() { Swift.print(table) }
}

/// A size as people read it: "512 B", "3.2 MiB", "12.0 GiB".
public func formatBytes(_ bytes: Int) -> String {
  let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
  guard bytes >= 1024 else { return "\(bytes) B" }
  var value = Double(bytes) / 1024
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  return String(format: "%.1f ", value) + units[unit]
}

/// A number of bytes that was added up in floating point, confined to what an `Int` holds.
public func byteCount(_ bytes: Double) -> Int { Int(min(max(bytes, 0), 1e18)) }
