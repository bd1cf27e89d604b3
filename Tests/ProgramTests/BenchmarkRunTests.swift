import Checkpoints
import Files
import Foundation
import HDF5
import Images
import Models
import TestSupport
import Testing

/// Stand-ins for the files that the benchmark jobs name: same names, same kinds, small.
enum BenchmarkInputs {
  static func write(to folder: String) throws {
    for (index, benchmark) in Benchmark.all.enumerated() {
      let configuration = try benchmark.configuration()
      let networks = [benchmark.teacher, benchmark.generator, benchmark.adversarial.generator]
      for (seed, name) in networks.enumerated() {
        try EDMSnapshot.write(configuration, seed: UInt64(3 * index + seed), to: "\(folder)/\(name)")
      }
      try dataset(configuration, to: "\(folder)/\(benchmark.adversarial.dataset)")
    }
    try inception(to: "\(folder)/pt_inception-2015-12-05-6726825d.pth")
    let reference = "\(folder)/\(Benchmark.all[0].reference)"
    try NpzStandIn.write(statistics, to: reference)
    for name in Set(Benchmark.all.map(\.reference)) where !reference.hasSuffix(name) {
      try FileManager.default.linkItem(atPath: reference, toPath: "\(folder)/\(name)")
    }
  }

  /// The state_dict of the FID's Inception network, of its own shapes: there is no smaller one.
  private static func inception(to path: String) throws {
    let weights = try FormulaInception()
    let names = weights.tensorNames.filter { !$0.hasSuffix("num_batches_tracked") }
    try StateDictionaryFile(entries: names.map { ($0, weights.shape(of: $0) ?? []) }, metadata: [:])
      .write(to: path, format: .torch) { try weights.tensor(names[$0]) }
  }

  /// A few images in EDM's layout, with labels for all kinds of networks.
  private static func dataset(_ configuration: NetworkConfiguration, to path: String) throws {
    let shape = ImageShape(
      height: configuration.imgResolution, width: configuration.imgResolution, channels: configuration.imgChannels)
    let names = (0..<4).map { "00000/img0000000\($0).png" }
    let images = try names.enumerated().map { seed, name in
      let pixels = (0..<shape.height * shape.width * shape.channels).map {
        UInt8(truncatingIfNeeded: $0 &* (seed &+ 3) ^ ($0 >> 4))
      }
      return MadeArchive.Entry(name, try PNGEncoder.encode(pixels[...], shape: shape))
    }
    let labels = names.enumerated().map { "[\"\($1)\", \($0)]" }.joined(separator: ", ")
    let json = MadeArchive.Entry("dataset.json", Array("{\"labels\": [\(labels)]}".utf8))
    try Data(MadeArchive.zip(images + [json])).write(to: URL(fileURLWithPath: path))
  }

  /// A mean and a covariance of 2048 features.
  private static var statistics: [(name: String, shape: [Int], values: [Double])] {
    var covariance = [Double](repeating: 0, count: 2048 * 2048)
    for row in 0..<2048 { covariance[row * 2049] = 0.1 + Double(row % 7) / 100 }
    return [
      ("mu", [2048], (0..<2048).map { Double($0 % 11) / 20 }), ("sigma", [2048, 2048], covariance),
    ]
  }
}

/// Every benchmark job file, as it is shipped, from the files to the score.
@Suite("The benchmark jobs run", .serialized)
struct BenchmarkRunTests {
  /// All that makes a matter of seconds of a benchmark, besides the stand-ins: two iterations of batch 2, and a few seeds.
  static let overrides = [
    "generator.batch=2", "generator.duration-kimg=0.004", "generator.evaluate-kimg=0.002",
    "generator.evaluate-seeds=1000000-1000003", "samples.seeds=0-3",
  ]

  /// So that the second iteration trains the generator with both losses.
  static let adversarialOverrides = ["generator.generator-start-kimg=0", "generator.adversarial-start-kimg=0.001"]

  @Test("end to end, with listed overrides and stand-ins of the right architecture with fewer channels")
  func endToEnd() throws {
    let spool = try SpoolFixture()
    let inputs = spool.folder.file("inputs")
    try BenchmarkInputs.write(to: inputs)
    try FileManager.default.createDirectory(atPath: spool.spool + "/incoming", withIntermediateDirectories: true)
    for benchmark in Benchmark.all {
      let digest = try SHA256.hexDigest(ofFile: "\(inputs)/\(benchmark.generator)")
      let adversarialDigest = try SHA256.hexDigest(ofFile: "\(inputs)/\(benchmark.adversarial.generator)")
      let jobs = [
        (benchmark.name, Self.overrides),
        ("\(benchmark.name)-sample-only", ["samples.seeds=0-3", "generator.expect-sha256=source=\(digest)"]),
        ("\(benchmark.name)-sida", Self.overrides + Self.adversarialOverrides),
        (
          "\(benchmark.name)-sida-sample-only",
          ["samples.seeds=0-3", "generator.expect-sha256=source=\(adversarialDigest)"]
        ),
      ]
      for (name, overrides) in jobs {
        let set = overrides.flatMap { ["--set", $0] }
        let submitted = try Programs.run("sidctl", ["submit", Benchmark.job(name), "--spool", spool.spool] + set)
        try #require(submitted.status == 0, "\(submitted.errors)")
      }
    }
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    try spool.startDaemon(["--program-directory", programs, "--exit-when-idle"]).waitUntilExit()
    for benchmark in Benchmark.all {
      try check(benchmark, spool)
    }
    #expect(spool.jobs("failed").isEmpty, "\(spool.log)")
  }

  private func check(_ benchmark: Benchmark, _ spool: SpoolFixture) throws {
    let configuration = try benchmark.configuration()
    for (name, _, settings) in benchmark.jobs {
      let found = spool.jobs("done").first { isOf($0, name) }
      guard let folder = found else {
        Issue.record("\(name) is not done: \(spool.jobs("failed").map { spool.read($0 + "/status.json") })")
        continue
      }
      let summary = try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: folder + "/summary.json")))
      let figures = try #require(summary as? [String: Any])
      #expect(figures["fid"] as? Double != nil, "\(name)")
      let page = try String(contentsOfFile: folder + "/report.html", encoding: .utf8)
      #expect(
        page.contains("<h1>\(name)</h1>") && page.contains("seed 0") && figures["report"] as? String == "report.html")
      let images = try HDF5File.open(folder + "/samples.h5").root.dataset("images")
      #expect(images.shape == [4, configuration.imgResolution, configuration.imgResolution, 3])
      let config = try HDF5File.open(folder + "/generator.h5").root.stringAttribute("config")
      for part in ["\"model_channels\":\(benchmark.channels)", "\"label_dim\":\(configuration.labelDim)"] {
        #expect(config.contains(part), "\(name): \(config)")
      }
      guard settings != nil else { continue }
      #expect(figures["distilled_kimg"] as? Double == 0.004)
      let curve =
        ((figures["steps"] as? [String: Any])?["generator"] as? [String: Any])?["curve"] as? [[String: Double]]
      #expect(curve?.compactMap { $0["kimg"] } == [0, 0.002, 0.004])
      for line in Self.overrides { #expect(spool.read(folder + "/job.yaml").contains("#   --set \(line)\n")) }
    }
  }

  /// Whether a folder's job has this name: that of another may begin with it.
  private func isOf(_ folder: String, _ name: String) -> Bool {
    let id = (folder as NSString).lastPathComponent
    return id.dropFirst("20261122T221500Z-".count).dropLast("-7f3a".count) == name
  }
}
