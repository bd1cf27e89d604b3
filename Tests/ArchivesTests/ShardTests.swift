import Archives
import Diagnostics
import Files
import Foundation
import HDF5
import OptionValues
import Sampling
import Synchronization
import TestSupport
import Testing

@Suite("Shards")
struct ShardTests {
  typealias Archive = SampleArchive<AnalyticDenoiser>
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A provenance as `sid-sample` writes it.
  private func provenance(kernels: String = "k1", seeds: String = "10-209,3,1000-1049", options: String = "") -> String
  {
    #"{"inputs":{},"kernels":"\#(kernels)","options":{"seeds":"\#(seeds)"\#(options)},"program":"t","version":"1"}"#
  }

  @discardableResult
  private func write(
    _ name: String, size: Int?, batch: Int = 7, share: String? = nil, provenance: String? = nil,
    existing: ExistingShards = ExistingShards(), callbacks: Archive.Callbacks = Archive.Callbacks()
  ) throws -> Archive.Outcome {
    try Archive(
      network: AnalyticDenoiser(), networkPath: "network.h5",
      recipe: SampleRecipe(sampler: .oneStep(OneStepSampler()), seeds: SeedList("10-209,3,1000-1049")), batch: batch,
      checkpointImages: 9, shardSize: size
    ).write(
      to: folder.file(name), provenance: provenance ?? self.provenance(), createdBy: "t 1",
      share: share.flatMap { WorkShare($0) }, existing: existing, callbacks: callbacks)
  }

  private func content(_ name: String) throws -> [[UInt8]] {
    let reader = try SampleReader(folder.file(name))
    let all = 0..<reader.count
    return [try reader.images(all), try (reader.labels(all) ?? []).map { UInt8($0) }]
      + [try reader.seeds(all).flatMap { seed in withUnsafeBytes(of: seed) { Array($0) } }]
  }

  private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? [] }

  @Test("An archive of shards reads as the one of one file", arguments: [1, 10, 100, 251, 1000])
  func sizes(size: Int) throws {
    #expect(try write("whole.h5", size: nil, batch: 64) == .complete)
    #expect(try write("s.h5", size: size) == .complete)
    #expect(try content("s.h5") == content("whole.h5"))
    #expect(names.count { $0.hasPrefix("s-") } == (251 + size - 1) / size)
    #expect(!names.contains { $0.hasPrefix(".") }, "\(names)")
    let check = try ArchiveCheck(folder.file("s.h5"))
    for file in check.files { try check.checkDigest(file) }
    try check.checkSeeds()
  }

  @Test("Stopped again and again, only what is missing is made")
  func resumption() throws {
    try write("whole.h5", size: nil)
    var made = 0
    var outcome = Archive.Outcome.stopped
    while outcome == .stopped {
      var callbacks = Archive.Callbacks()
      var batches = 0
      callbacks.shouldStop = {
        batches += 1
        made += 1
        return batches == 4
      }
      outcome = try write("s.h5", size: 40, callbacks: callbacks)
      try #require(made < 500)
    }
    // 7 shards, each of five parts of two batches; what was stopped in a part does not begin it anew.
    #expect(outcome == .complete && made <= 7 * 10 + 20)
    #expect(try content("s.h5") == content("whole.h5"))
  }

  @Test("A missing shard is refused by whoever reads, by the merge, and made again by the same command")
  func missing() throws {
    try write("s.h5", size: 50)
    let before = try content("s.h5")
    try FileManager.default.removeItem(atPath: folder.file("s-00002.h5"))
    #expect { try SampleReader(folder.file("s.h5")) } throws: { "\($0)".contains("s-00002.h5") }
    try FileManager.default.removeItem(atPath: folder.file("s-00004.h5"))
    #expect { try SampleMaster(shardsOf: folder.file("s.h5"), mixingKernels: false) } throws: {
      "\($0)".contains("2 of 6 shards are missing: 2, 4")
    }
    let done = Mutex(0)
    var callbacks = Archive.Callbacks()
    callbacks.started = { count, _, _ in done.withLock { $0 = count } }
    #expect(try write("s.h5", size: 50, callbacks: callbacks) == .complete)
    #expect(done.withLock { $0 } == 151)
    #expect(try content("s.h5") == before)
  }

  @Test("Shares make every shard once, and the merge closes them")
  func shares() throws {
    try write("whole.h5", size: nil)
    for share in ["2/3", "1/3"] {
      #expect(try write("s.h5", size: 30, share: share) == .shareComplete)
      #expect(throws: Failure.self) { try SampleMaster(shardsOf: folder.file("s.h5"), mixingKernels: false) }
    }
    #expect(!names.contains("s.h5"))
    #expect(try write("s.h5", size: 30, share: "3/3") == .shareComplete)
    try SampleMaster(shardsOf: folder.file("s.h5"), mixingKernels: false)
      .publish(createdBy: "t 1", sheet: (4, 4)) { _, _ in }
    #expect(try content("s.h5") == content("whole.h5"))
    #expect(!names.contains { $0.hasPrefix(".") })
  }

  @Test("Two processes at one archive share the work; what the other one holds is reported")
  func together() throws {
    let inner = Mutex<Archive.Outcome?>(nil)
    var callbacks = Archive.Callbacks()
    var isFirst = true
    callbacks.progressed = { _ in
      if isFirst {
        isFirst = false
        inner.withLock { $0 = try? write("s.h5", size: 50) }
      }
    }
    // The inner one makes all shards but those that the outer one holds; the outer one finds them there.
    #expect(try write("s.h5", size: 50, callbacks: callbacks) == .complete)
    if case .held(let shards) = inner.withLock({ $0 }) { #expect(shards.contains(0)) } else { Issue.record("not held") }
    try write("whole.h5", size: nil)
    #expect(try content("s.h5") == content("whole.h5"))
  }

  @Test("Shards of other kernels are refused unless told, shards of other work always")
  func mixtures() throws {
    #expect(try write("s.h5", size: 50, share: "1/2") == .shareComplete)
    #expect(try write("s.h5", size: 50, share: "2/2", provenance: provenance(kernels: "k2")) == .shareComplete)
    #expect { try write("s.h5", size: 50) } throws: { "\($0)".contains("it was computed by t 1, k2") }
    #expect { try SampleMaster(shardsOf: folder.file("s.h5"), mixingKernels: false) } throws: {
      "\($0)".contains("3 by t 1, k1; 3 by t 1, k2")
    }
    try SampleMaster(shardsOf: folder.file("s.h5"), mixingKernels: true)
      .publish(createdBy: "t 1", sheet: (4, 4)) { _, _ in }
    let manifest = try SampleManifest(of: folder.file("s.h5"))
    #expect(
      manifest.origin?.kernels == "k1 + k2" && manifest.shards.map(\.kernels) == ["k1", "k2", "k1", "k2", "k1", "k2"])
    #expect {
      try write("s.h5", size: 50, provenance: provenance(options: #","class":"3""#))
    } throws: { ($0 as? Failure)?.status == .cannotCreate && "\($0)".contains("--class was not given and is now 3") }
    let replacing = ExistingShards(replacing: true)
    #expect(try write("s.h5", size: 50, provenance: provenance(kernels: "k3"), existing: replacing) == .complete)
    #expect(try SampleManifest(of: folder.file("s.h5")).shards.allSatisfy { $0.kernels == "k3" })
  }

  @Test("Verification finds a changed shard, a changed archive, and images of another network")
  func verification() throws {
    try write("s.h5", size: 100)
    let check = try ArchiveCheck(folder.file("s.h5"))
    let recipe = try SampleRecipe(sampler: .oneStep(OneStepSampler()), seeds: SeedList("10-209,3,1000-1049"))
    let same = try check.compare([0, 99, 100, 250], with: AnalyticDenoiser(), recipe: recipe, maker: "t 1, k1")
    #expect(same.images == 4 && same.exactImages == 4 && same.differingBytes == 0)
    #expect(throws: Failure.self) {
      try check.compare([7], with: AnalyticDenoiser(scale: 0.3), recipe: recipe, maker: "t 1, k1")
    }
    // Off by rounding: refused of the same kernels, tolerated of others.
    let near = AnalyticDenoiser(scale: 0.2001)
    #expect(throws: Failure.self) { try check.compare([7, 8, 9], with: near, recipe: recipe, maker: "t 1, k1") }
    let other = try check.compare([7, 8, 9], with: near, recipe: recipe, maker: "t 1, k2")
    #expect(other.exactImages == 0 && other.largestDifference <= 1)

    let path = URL(fileURLWithPath: folder.file("s-00001.h5"))
    let whole = try Data(contentsOf: path)
    var data = whole
    data[data.count - 1] ^= 1
    try data.write(to: path)
    #expect { for file in check.files { try check.checkDigest(file) } } throws: {
      "\($0)".contains("s-00001.h5: its SHA-256")
    }
  }
}
