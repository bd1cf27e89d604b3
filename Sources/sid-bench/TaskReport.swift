import Compute
import Diagnostics
import Foundation
import Records
import Stage

/// How a work is cut into tasks for some numbers of threads: counted, so that no processor of that many cores is needed.
struct TaskReport {
  /// The threads that are asked about.
  static let threadCounts = [2, 8, 32, 64]
  /// For which of them the batch is sought that keeps them busy, and what share of their time is called busy.
  static let busyThreads = 32, busyShare = 0.9
  /// Batches among which it is sought.
  private static let batches = [
    1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096,
  ]

  /// A layer with a smaller part of the work is not looked for among the worst.
  private static let negligibleShare = 1e-4

  private let network: String
  private let work: WorkName
  private let batch: Int
  private let rows: [Row]
  private let whole: [Split]
  private let busyBatch: Int?

  /// Layers of one kind.
  private struct Row {
    let kind: LayerKind
    let layers: Int
    /// Of the work of all layers.
    let share: Double
    let splits: [Split]
    /// The largest serial share of a single layer that is not negligible, for each number of threads.
    let worst: [Double]
  }

  /// Some layers on one number of threads, the work as one thread does it.
  private struct Split {
    let threads: Int
    let work: Double
    var time = 0.0
    var smallestTask = Double.infinity

    init(_ threads: Int, _ layers: [(one: CountedLayer, many: CountedLayer)]) {
      self.threads = threads
      work = layers.reduce(0) { $0 + $1.one.work }
      for layer in layers {
        time += layer.many.time
        if layer.many.tasks > 0 { smallestTask = min(smallestTask, layer.many.smallestTask) }
      }
    }

    var serialShare: Double { CountedLayer.serialShare(work: work, time: time, threads: threads) }
    var busyShare: Double { time > 0 ? work / (Double(threads) * time) : 1 }
  }

  /// Counts.
  /// - Parameter make: the work at a batch; nil for its own.
  init(network: String, work: WorkName, batch: Int?, make: (Int?) throws -> any Benchmark) throws {
    (self.network, self.work) = (network, work)
    var benchmark: (any Benchmark)?
    _ = try WorkCount.layers(threads: 1) { benchmark = try make(batch) }
    guard var benchmark else { preconditionFailure("nothing to count") }
    self.batch = benchmark.batch
    let counted = try Self.count(&benchmark, Self.threadCounts)
    let total = counted.one.reduce(0) { $0 + $1.work }
    let byKind = Dictionary(grouping: counted.one.indices) { counted.one[$0].kind }
    rows = LayerKind.allCases.compactMap { kind in
      guard let places = byKind[kind] else { return nil }
      let pairs = counted.many.map { many in places.map { (one: counted.one[$0], many: many[$0]) } }
      return Row(
        kind: kind, layers: places.count, share: places.reduce(0) { $0 + counted.one[$1].work } / total,
        splits: zip(Self.threadCounts, pairs).map { Split($0, $1) },
        worst: zip(Self.threadCounts, pairs).map { threads, pairs in
          pairs.filter { $0.one.work > Self.negligibleShare * total }
            .map { CountedLayer.serialShare(work: $0.one.work, time: $0.many.time, threads: threads) }.max() ?? 0
        })
    }
    whole = zip(Self.threadCounts, counted.many).map { Split($0, Array(zip(counted.one, $1)).map { ($0, $1) }) }
    // Larger batches may fit the threads less well: the next two have to do so, too.
    var inARow = 0, found: Int?
    for (place, size) in Self.batches.enumerated() where inARow < 3 {
      try benchmark.countResize(batch: size)
      let counted = try Self.count(&benchmark, [Self.busyThreads])
      let split = Split(Self.busyThreads, Array(zip(counted.one, counted.many[0])).map { ($0, $1) })
      inARow = split.busyShare >= Self.busyShare ? inARow + 1 : 0
      if inARow == 3 { found = Self.batches[place - 2] }
    }
    busyBatch = found
  }

  /// Counts one repetition on one thread and on others, after one in which weights are prepared and moments made.
  private static func count(_ benchmark: inout any Benchmark, _ threads: [Int]) throws
    -> (one: [CountedLayer], many: [[CountedLayer]])
  {
    func layers(_ threads: Int) throws -> [CountedLayer] {
      try Interruption.check()
      return try WorkCount.layers(threads: threads) { try benchmark.run() }
    }
    _ = try layers(1)
    let one = try layers(1)
    let many = try threads.map(layers)
    for other in many where other.map(\.kind) != one.map(\.kind) {
      throw Failure(.software, "--tasks", "the layers of two repetitions differ")
    }
    return (one, many)
  }

  var json: JSONValue {
    func splits(_ all: [Split], worst: [Double]? = nil) -> JSONValue {
      .array(
        all.indices.map { index in
          var fields: [String: JSONValue] = [
            "threads": .int(all[index].threads), "serial_share": .double(all[index].serialShare),
            "busy_share": .double(all[index].busyShare),
          ]
          if let worst { fields["largest_serial_share"] = .double(worst[index]) }
          if all[index].smallestTask.isFinite { fields["smallest_task"] = .double(all[index].smallestTask) }
          return .object(fields)
        })
    }
    var fields: [String: JSONValue] = [
      "network": .string(network), "work": .string(work.rawValue), "batch": .int(batch),
      "kernels": .string(KernelSet.name), "threads": splits(whole),
      "layers": .array(
        rows.map {
          [
            "kind": .string($0.kind.rawValue), "count": .int($0.layers), "work_share": .double($0.share),
            "threads": splits($0.splits, worst: $0.worst),
          ]
        }),
    ]
    if let busyBatch { fields["busy_batch"] = .int(busyBatch) }
    return .object(fields)
  }

  var table: String {
    func column(_ text: String, _ width: Int = 9) -> String {
      String(repeating: " ", count: max(1, width - text.count)) + text
    }
    func percent(_ share: Double) -> String { String(format: "%.2f", 100 * share) }
    func task(_ split: Split) -> String {
      split.smallestTask.isFinite ? String(format: "%.0f", split.smallestTask / 1e3) : "-"
    }
    let threads = Self.threadCounts.map { column("\($0)") }.joined()
    let title =
      "on threads".padding(toLength: 34, withPad: " ", startingAt: 0) + column("layers") + column("work, %") + " |"
      + threads + column("worst") + " |" + threads
    let busy = Self.threadCounts.firstIndex(of: Self.busyThreads) ?? 0
    func line(_ name: String, _ layers: Int, _ share: Double, _ splits: [Split], worst: Double) -> String {
      name.padding(toLength: 34, withPad: " ", startingAt: 0) + column("\(layers)") + column(percent(share)) + " |"
        + splits.map { column(percent($0.serialShare)) }.joined() + column(percent(worst)) + " |"
        + splits.map { column(task($0)) }.joined()
    }
    var lines = [
      String(repeating: " ", count: 52) + " | serial share, %" + String(repeating: " ", count: 29)
        + " | smallest task, thousand operations", title,
    ]
    for row in rows { lines.append(line(row.kind.rawValue, row.layers, row.share, row.splits, worst: row.worst[busy])) }
    lines.append(
      line(
        "all", rows.reduce(0) { $0 + $1.layers }, 1, whole,
        worst: rows.filter { $0.kind != .other }.map { $0.worst[busy] }.max() ?? 0))
    lines.append("")
    for (index, threads) in Self.threadCounts.enumerated() {
      lines.append("\(threads) threads: busy \(percent(whole[index].busyShare)) % of the time")
    }
    lines.append(
      "worst: the largest serial share, at \(Self.busyThreads) threads, of a single layer with more than 0.01 % of the work"
    )
    let share = Int(100 * Self.busyShare)
    lines.append(
      busyBatch.map { "\(Self.busyThreads) threads are busy \(share) % of the time from batch \($0) on" }
        ?? "no batch up to \(Self.batches.last ?? 0) keeps \(Self.busyThreads) threads busy \(share) % of the time")
    lines.append("\(network), \(work.rawValue), batch \(batch), \(KernelSet.name)")
    return lines.joined(separator: "\n")
  }
}

extension Benchmark {
  /// Changes the number of images where work is counted only.
  fileprivate mutating func countResize(batch: Int) throws {
    var copy = self
    _ = try WorkCount.layers(threads: 1) { try copy.resize(batch: batch) }
    self = copy
  }
}
