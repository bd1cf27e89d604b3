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

/// Shares of the scored images.
@Suite struct ScoreShareTests {
  let folder: TemporaryFolder
  let network: FeatureNetwork
  let scorer: ImageScorer
  private static let everything = MetricSettings([.fid, .kid, .inceptionScore, .precisionRecall, .extrapolated])

  init() throws {
    Threads.use(2)
    folder = try TemporaryFolder()
    network = try DigitsScoreTests.network()
    let real = try #require(
      try FeaturePass(
        ImageCollection(DigitsScoreTests.archive), network: network, keeping: .features, selection: .first(nil)
      ).run())
    var settings = Self.everything
    (settings.kernel.subsets, settings.kernel.subsetSize, settings.precisionRecall.limit) = (4, 200, 900)
    (settings.frechet.bootstraps, settings.inception.splits) = (2, 3)
    scorer = try ImageScorer(
      network: network, featureNetworkSHA256: "n", features: "f",
      reference: FeatureSet(
        statistics: FeatureStatistics(real.moments, featureNetworkSHA256: "n", origin: "real"),
        features: real.features), origin: "real", settings: settings)
    try HDF5File.publish(folder.file("samples.h5")) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      let pixels = (0..<9000 * 64).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0 >> 3) }
      try file.root.write(pixels, shape: [9000, 8, 8, 1], to: "images")
    }
  }

  private func whole(_ selection: ImageSelection) throws -> FeaturePass {
    try FeaturePass(
      ImageCollection(folder.file("samples.h5")), network: network, keeping: [.features, .scores],
      selection: selection)
  }

  private func publish(_ gathered: GatheredImages, _ name: String) throws -> String {
    try HDF5File.publish(folder.file(name)) {
      try StatisticsPart.write(gathered, images: "all", featureNetworkSHA256: "n", convention: .native, to: $0)
    }
    return folder.file(name)
  }

  private func bytes(_ set: FeatureSet, _ name: String) throws -> Data {
    try HDF5File.publish(folder.file(name)) { try set.write(to: $0, images: ["all"]) }
    return try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
  }

  @Test(
    "Put together they give every figure, and what is kept, to the bit, of images in order and of draws",
    arguments: [ImageSelection.first(nil), .first(8193), .resampled(9000, seed: 5), .resampled(13_000, seed: 1)])
  func figures(_ selection: ImageSelection) throws {
    let whole = try whole(selection)
    let gathered = try #require(try whole.run())
    let expected = FeatureSet(
      statistics: try FeatureStatistics(gathered.moments, featureNetworkSHA256: "n", origin: "whole"),
      features: gathered.features, scores: gathered.scores)
    let figures = try scorer.scores(of: expected, origin: "whole")
    #expect(figures.count == 6)
    let file = try bytes(expected, "whole.h5")
    for count in 1...whole.segmentCount {
      let parts = try (1...count).map { index in
        let part = try #require(whole.share(WorkShare(index, of: count)))
        #expect(part.totalRows == whole.totalRows && part.imageCount <= whole.imageCount)
        return try publish(try #require(try part.run()), "part-\(index).h5")
      }
      let merged = try StatisticsMerge(parts).result
      #expect(try scorer.scores(of: merged, origin: "whole") == figures, "\(count) shares")
      #expect(try bytes(merged, "merged.h5") == file, "\(count) shares")
    }
  }

  @Test("Beyond the number of segments they have nothing to do, and the others have all of it")
  func surplus() throws {
    let whole = try whole(.first(nil))
    #expect(whole.segmentCount == 3)
    let parts = (1...7).map { whole.share(WorkShare($0, of: 7))?.rowCount }
    #expect(parts == [4096, 4096, 808, nil, nil, nil, nil])
    let two = (1...2).map { whole.share(WorkShare($0, of: 2))?.rowCount }
    #expect(two == [4096, 4904])
    let failure = #expect(throws: Failure.self) { try whole.requiredShare(WorkShare(1, of: 4)) }
    #expect(failure?.status == .dataError && failure?.description.contains("at most 3 share") == true)
  }

  @Test("Draws at the edge of a share are shared out, none lost and none doubled")
  func draws() throws {
    let whole = try whole(.resampled(40_000, seed: 2))
    let parts = (1...10).map { whole.share(WorkShare($0, of: 10)) }
    #expect(parts.compactMap { $0?.rowCount }.reduce(0, +) == 40_000)
    #expect(parts.dropLast().allSatisfy { $0?.rowCount == 4096 })
    // An image at an edge is read for both sides, and no more than that.
    let read = parts.compactMap { $0?.imageCount }.reduce(0, +)
    #expect(read > whole.imageCount && read <= whole.imageCount + 9)
  }

  @Test("Interrupted they go on to the same bytes", arguments: [ImageSelection.first(nil), .resampled(9000, seed: 5)])
  func interrupted(_ selection: ImageSelection) throws {
    let whole = try whole(selection)
    let part = try #require(whole.share(WorkShare(2, of: 2)))
    let undisturbed = try publish(try #require(try part.run()), "undisturbed.h5")
    var result: GatheredImages?
    var rounds = 0
    while result == nil && rounds < 50 {
      rounds += 1
      var batches = 0
      result = try part.run(
        scratch: folder.file(".part"), identity: "x",
        isStopRequested: {
          batches += 1
          return batches == 5
        })
    }
    #expect(rounds > 3)
    let disturbed = try publish(try #require(result), "disturbed.h5")
    #expect(FileManager.default.contents(atPath: disturbed) == FileManager.default.contents(atPath: undisturbed))
  }

  @Test("Their files are found by their names alone, and cleared away but for those of a share that is being made")
  func files() throws {
    func entries() throws -> Set<String> {
      Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)).subtracting(["samples.h5"])
    }
    let files = ShareFiles(beside: folder.file("score.h5"))
    #expect(files.path(WorkShare(2, of: 5)) == folder.file(".score.share-2-of-5.h5"))
    let own = [
      ".score.share-1-of-2.h5", ".score.share-1-of-2.moments.h5.partial", ".score.share-2-of-2.lock",
      ".score.share-2-of-2.features", ".score.share-3-of-4.moments.h5", ".score.share-3-of-4.segments",
      ".score.share-4-of-4.h5.partial", ".score.share-4-of-4.scores",
    ]
    let others: Set = [
      ".score.share-0-of-2.h5", ".score.share-01-of-2.h5", ".score.share-1-of-2.txt", ".score.share-1-of-2",
      ".score.share-1.h5", ".score.share-1-of-2-of-3.h5", ".scores.share-1-of-2.h5", "score.share-1-of-2.h5",
      ".score.moments.h5", ".score.share-x-of-2.h5", ".score.share-3-of-2.h5",
    ]
    for name in own + others { try Data("x".utf8).write(to: URL(fileURLWithPath: folder.file(name))) }
    #expect(
      try files.found() == [WorkShare(1, of: 2), WorkShare(2, of: 2), WorkShare(3, of: 4), WorkShare(4, of: 4)])
    do {
      let lock = try files.lock(WorkShare(3, of: 4))
      #expect(lock != nil)
      #expect(try files.lock(WorkShare(3, of: 4)) == nil)
      try files.removeAll()
      let held = ["moments.h5", "segments", "lock"].map { ".score.share-3-of-4.\($0)" }
      #expect(try entries() == others.union(held))
      withExtendedLifetime(lock) {}
    }
    try files.removeAll()
    #expect(try entries() == others)
    #expect(try files.found().isEmpty)
  }
}
