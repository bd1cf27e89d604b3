import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import OptionValues
import Scoring
import TestSupport
import Testing

/// Statistics of parts, put together.
@Suite struct MergeTests {
  let folder: TemporaryFolder
  let samples: String
  let network: FeatureNetwork
  let whole: String
  static let count = 9000

  init() throws {
    Threads.use(2)
    folder = try TemporaryFolder()
    samples = folder.file("samples.h5")
    network = try DigitsScoreTests.network()
    whole = folder.file("whole.h5")
    try HDF5File.publish(samples) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      let pixels = (0..<Self.count * 64).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0 >> 3) }
      try file.root.write(pixels, shape: [Self.count, 8, 8, 1], to: "images")
    }
    try write(nil, whole)
  }

  private func write(
    _ share: WorkShare?, _ path: String, count: Int? = nil, images: String = "all",
    convention: InputConvention = .native, sha256: String = "n"
  ) throws {
    let whole = try FeaturePass(
      ImageCollection(samples), network: network, keeping: [.features, .scores], selection: .first(count))
    let gathered = try #require(try share.map { try whole.requiredShare($0).run() } ?? whole.run())
    try HDF5File.publish(path) { file in
      if share != nil {
        return try StatisticsPart.write(
          gathered, images: images, featureNetworkSHA256: sha256, convention: convention, to: file)
      }
      let statistics = try FeatureStatistics(
        gathered.moments, featureNetworkSHA256: sha256, convention: convention, origin: path)
      try FeatureSet(statistics: statistics, features: gathered.features, scores: gathered.scores).write(
        to: file, images: [images])
    }
  }

  private func share(
    _ text: String, images: String = "all", convention: InputConvention = .native, sha256: String = "n"
  )
    throws -> String
  {
    let path = folder.file(
      "share-\(text.replacingOccurrences(of: "/", with: "-"))-\(images)-\(convention.rawValue)-\(sha256).h5")
    let share: WorkShare = try #require(WorkShare(text))
    try write(share, path, images: images, convention: convention, sha256: sha256)
    return path
  }

  @Test("Shares put together are one run's statistics and features to the bit", arguments: [1, 2, 3])
  func shares(count: Int) throws {
    let paths = try (1...count).map { try share("\($0)/\(count)") }
    let merged = try StatisticsMerge(paths.reversed())
    let expected = try FeatureSet(contentsOf: whole)
    #expect(merged.result.statistics == expected.statistics)
    #expect(merged.images == ["all"])
    let path = folder.file("merged.h5")
    try HDF5File.publish(path) { try merged.result.write(to: $0, images: merged.images) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(contentsOf: URL(fileURLWithPath: whole)))
  }

  @Test("Complete statistics of different images agree with one run to rounding")
  func complete() throws {
    try write(nil, folder.file("a.h5"), count: 3000, images: "a")
    var rest = FeatureMoments(featureCount: network.featureCount)
    let collection = try ImageCollection(samples)
    rest.add(
      network.outputs(images: try collection.images(3000..<Self.count), shape: [8, 8, 1], convention: .native).features)
    let statistics = try FeatureStatistics(rest, featureNetworkSHA256: "n", origin: "b")
    try HDF5File.publish(folder.file("b.h5")) { try FeatureSet(statistics: statistics).write(to: $0, images: ["b"]) }
    let merged = try StatisticsMerge([folder.file("a.h5"), folder.file("b.h5")])
    let expected = try FeatureStatistics(contentsOf: whole)
    #expect(merged.result.statistics.imageCount == Self.count)
    #expect(merged.result.features == nil)
    #expect(merged.images == ["a", "b"])
    #expect(zip(merged.result.statistics.mean, expected.mean).allSatisfy { abs($0 - $1) < 1e-11 })
    #expect(zip(merged.result.statistics.covariance, expected.covariance).allSatisfy { abs($0 - $1) < 1e-10 })
  }

  @Test("What does not belong together is refused by name")
  func refused() throws {
    func refuse(_ paths: [String], _ words: String) {
      let failure = #expect(throws: Failure.self) { try StatisticsMerge(paths) }
      #expect(failure?.status == .dataError)
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
    let (one, two, three) = (try share("1/3"), try share("2/3"), try share("3/3"))
    refuse([one, three], "images 4096 to 8191 is missing")
    refuse([two, three], "images 0 to 4095 is missing")
    refuse([one, two], "images 8192 to 8999 is missing")
    refuse([one, two, two, three], "too")
    refuse([one, try share("1/2"), three], "too")
    refuse([one, two, try share("3/3", images: "others")], "other images")
    refuse([one, two, try share("3/3", convention: .tensorflow)], "convention")
    refuse([one, two, try share("3/3", sha256: "m")], "feature network")
    refuse([one, whole], "complete statistics")
    refuse([whole, whole], "twice")
    refuse([samples], "sid-samples")
    let failure = #expect(throws: Failure.self) { try share("1/4") }
    #expect(failure?.description.contains("3 segments") == true)
  }

  @Test("Damaged moments of a share are refused")
  func damaged() throws {
    let path = try share("1/3")
    let source = try HDF5File.open(path).root
    let values = try source.dataset("segments").read(Double.self)
    let shape = try source.dataset("segments").shape
    for (place, value) in [(0, 17.0), (5, .nan)] {
      var changed = values
      changed[place] = value
      let other = folder.file("damaged.h5")
      try HDF5File.publish(other) { file in
        for name in ["first_image", "num_images", "total_images", "num_features", "format_version"] {
          try file.root.setAttribute(name, try source.intAttribute(name))
        }
        for name in ["format", "feature_network", "input_convention"] {
          try file.root.setAttribute(name, try source.stringAttribute(name))
        }
        try file.root.setAttribute("images", ["all"])
        try file.root.write(changed, shape: shape, to: "segments")
      }
      let failure = #expect(throws: Failure.self) { try StatisticsMerge([other, share("2/3"), share("3/3")]) }
      #expect(failure?.description.contains("segment 1") == true)
    }
  }

  @Test("Kept features give the figures that the images give, and a resumed pass keeps the same rows")
  func keptFeatures() throws {
    var settings = MetricSettings([.fid, .kid, .inceptionScore, .precisionRecall, .extrapolated])
    (settings.kernel.subsets, settings.kernel.subsetSize, settings.precisionRecall.limit) = (5, 300, 1500)
    let reference = folder.file("reference.h5")
    let archive = try ImageCollection(DigitsScoreTests.archive)
    let real = try #require(
      try FeaturePass(archive, network: network, keeping: .features, selection: .first(nil)).run())
    let statistics = try FeatureStatistics(real.moments, featureNetworkSHA256: "n", origin: "real")
    try HDF5File.publish(reference) {
      try FeatureSet(statistics: statistics, features: real.features).write(to: $0, images: ["real"])
    }
    let scorer = try ImageScorer(
      network: network, featureNetworkSHA256: "n", features: "f", reference: FeatureSet(contentsOf: reference),
      origin: "reference", settings: settings)
    let fromFile = try scorer.scores(of: FeatureSet(contentsOf: whole), origin: "kept")
    #expect(fromFile.map(\.figure) == ["fid", "kid", "is", "precision", "recall", "fid_infinity"])
    #expect(fromFile.allSatisfy { $0.value.isFinite && !$0.definition.isEmpty })

    var gathered = scorer.gathering()
    let collection = try ImageCollection(samples)
    for first in stride(from: 0, to: Self.count, by: 700) {
      let images = try collection.images(first..<min(first + 700, Self.count))
      try scorer.add(images, shape: [8, 8, 1], to: &gathered, origin: "memory")
    }
    #expect(try scorer.scores(of: gathered, origin: "memory") == fromFile)

    var result: GatheredImages?
    var rounds = 0
    while result == nil && rounds < 50 {
      rounds += 1
      var batches = 0
      result = try FeaturePass(collection, network: network, keeping: [.features, .scores], selection: .first(nil)).run(
        scratch: folder.file(".resumed"), identity: "x",
        isStopRequested: {
          batches += 1
          return batches == 7
        })
    }
    #expect(rounds > 3)
    let resumed = try #require(result)
    let path = folder.file("resumed.h5")
    let again = try FeatureStatistics(resumed.moments, featureNetworkSHA256: "n", origin: "x")
    try HDF5File.publish(path) {
      try FeatureSet(statistics: again, features: resumed.features, scores: resumed.scores).write(
        to: $0, images: ["all"])
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(contentsOf: URL(fileURLWithPath: whole)))
    try FeaturePass.removeScratch(folder.file(".resumed"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasPrefix(".resumed") })
  }
}
