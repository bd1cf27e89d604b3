import Compute
import Diagnostics
import Files
import HDF5
import Models
import OptionValues
import Scoring
import TestSupport
import Testing

/// Statistics in files: ours and npz, and what an npz does not say.
@Suite struct StatisticsFileTests {
  let folder: TemporaryFolder
  static let npz = NpzConventions(convention: .pytorchFID, count: 400)

  init() throws {
    Threads.use(2)
    folder = try TemporaryFolder()
  }

  @Test(
    "Recorded npz statistics are read at full precision, stored and deflated",
    arguments: ["reference_stats_24d.npz", "reference_stats_24d_compressed.npz"])
  func recorded(name: String) throws {
    let recorded = try HDF5File.open(Fixtures.path("golden/fid/reference_stats_24d.h5")).root
    let statistics = try FeatureSet(reference: Fixtures.path("golden/fid/" + name), npz: Self.npz).statistics
    #expect(try statistics.mean == recorded.dataset("mu").read(Double.self))
    #expect(try statistics.covariance == recorded.dataset("sigma").read(Double.self))
    #expect(statistics.imageCount == 400)
    #expect(statistics.convention == .pytorchFID)
    #expect(statistics.featureNetworkSHA256 == nil)
    // And those of the features that they were made from.
    let features = FormulaFeatures.make(tag: "golden-public/npz", rows: 400, columns: 24, shift: 0.3, scale: 1)
    var moments = FeatureMoments(featureCount: 24)
    moments.add(features)
    let (mean, covariance) = moments.statistics()
    #expect(zip(mean, statistics.mean).allSatisfy { abs($0 - $1) < 1e-10 })
    #expect(zip(covariance, statistics.covariance).allSatisfy { abs($0 - $1) < 1e-10 })
  }

  @Test(
    "Statistics by columns, by Python 2, beside other arrays and in any zip are the same",
    arguments: ["columns.npz", "headers.npz", "bystanders.npz", "zip-details.npz"])
  func otherHabits(name: String) throws {
    func read(_ name: String) throws -> FeatureStatistics {
      try FeatureSet(reference: Fixtures.path("checkpoints/" + name), npz: Self.npz).statistics
    }
    let expected = try read("headers.npz")
    #expect(expected.featureCount == 6 && expected.mean.count == 6)
    #expect(try read(name) == expected)
    #expect(try ReferenceKind(Fixtures.path("checkpoints/" + name)) == .statistics)
  }

  @Test("Statistics written as npz are read back to the bit")
  func roundTrip() throws {
    let path = folder.file("x.npz")
    let statistics = try FeatureSet(
      reference: Fixtures.path("golden/fid/reference_stats_24d.npz"), npz: Self.npz
    ).statistics
    try statistics.publishNpz(path)
    #expect(try FeatureSet(reference: path, npz: Self.npz).statistics == statistics)
  }

  @Test("An npz says neither convention nor count: they are asked for, except for the names of EDM's references")
  func conventions() throws {
    let source = Fixtures.path("golden/fid/reference_stats_24d.npz")
    func refuse(_ npz: NpzConventions, _ words: String) {
      let failure = #expect(throws: Failure.self) { try FeatureSet(reference: source, npz: npz) }
      #expect(failure?.status == .usage)
      #expect(failure?.description.contains(words) == true)
    }
    refuse(NpzConventions(), "--reference-convention")
    refuse(NpzConventions(convention: .tensorflow), "--reference-count")
    let statistics = try FeatureSet(reference: source, npz: Self.npz).statistics
    for (name, count) in [
      ("cifar10-32x32.npz", 50_000), ("ffhq-64x64.npz", 70_000), ("afhqv2-64x64.npz", 15_803),
      ("imagenet-64x64.npz", 1_281_167),
    ] {
      try statistics.publishNpz(folder.file(name))
      let read = try FeatureSet(reference: folder.file(name), npz: NpzConventions()).statistics
      #expect(read.convention == .tensorflow)
      #expect(read.imageCount == count)
    }
  }

  @Test("Statistics under another convention, and kept features that do not fit, are refused")
  func refused() throws {
    let features = folder.file("features.h5")
    let network = try DigitsScoreTests.network()
    try HDF5File.publish(features) { try network.write(to: $0) }
    var moments = FeatureMoments(featureCount: 64)
    moments.add(FormulaFeatures.make(tag: "x", rows: 100, columns: 64, shift: 0, scale: 1))
    let digest = try SHA256.hexDigest(ofFile: features)
    func write(_ name: String, _ convention: InputConvention, rows: Int?) throws -> String {
      let statistics = try FeatureStatistics(
        moments, featureNetworkSHA256: digest, convention: convention, origin: name)
      let kept = rows.map { MemoryRows(Tensor(shape: [$0, 64])) }
      try HDF5File.publish(folder.file(name)) {
        try FeatureSet(statistics: statistics, features: kept).write(to: $0, images: ["a"])
      }
      return folder.file(name)
    }
    _ = try ImageScorer(features: features, reference: write("good.h5", .native, rows: nil))
    func refuse(
      _ reference: String, _ words: String, _ metrics: [Metric] = [.fid], _ convention: InputConvention? = nil
    ) {
      let failure = #expect(throws: Failure.self) {
        try ImageScorer(
          features: features, reference: reference, convention: convention, settings: MetricSettings(metrics))
      }
      #expect(failure?.status == .dataError)
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
    try refuse(write("tf.h5", .tensorflow, rows: nil), "tensorflow")
    try refuse(write("tf.h5", .tensorflow, rows: nil), "convention", [.fid], .native)
    try refuse(write("good.h5", .native, rows: nil), "convention", [.fid], .pytorchFID)
    try refuse(write("good.h5", .native, rows: nil), "--keep-features", [.kid])
    try refuse(write("good.h5", .native, rows: nil), "--keep-features", [.fid, .precisionRecall])
    try refuse(write("short.h5", .native, rows: 99), "kept features")
    _ = try ImageScorer(
      features: features, reference: write("kept.h5", .native, rows: 100), settings: MetricSettings([.kid]))
  }
}
