import Compute
import Diagnostics
import Foundation
import HDF5
import Models
import OptionValues
import Scoring
import TestSupport
import Testing

/// Figures over sets of images.
@Suite("Sets of images") struct ImageSetTests {
  let folder: TemporaryFolder
  let scorer: ImageScorer
  static let archive = DigitsScoreTests.archive

  init() throws {
    Threads.use(2)
    folder = try TemporaryFolder()
    let network = try DigitsScoreTests.network()
    let pass = try FeaturePass(
      ImageCollection(Self.archive), network: network, keeping: [.features, .scores], selection: .first(nil))
    let real = try #require(try pass.run())
    let reference = FeatureSet(
      statistics: try FeatureStatistics(real.moments, featureNetworkSHA256: "n", origin: Self.archive),
      features: real.features, scores: real.scores)
    var settings = MetricSettings(Metric.allCases)
    (settings.kernel.subsets, settings.kernel.subsetSize, settings.seed) = (3, 100, 7)
    scorer = try ImageScorer(
      network: network, featureNetworkSHA256: "n", features: "features.h5", reference: reference, origin: Self.archive,
      settings: settings)
  }

  private func gathered(
    _ path: String, _ selection: ImageSelection, scratch: String? = nil, isStopRequested: () -> Bool = { false }
  ) throws -> FeatureSet? {
    let pass = try FeaturePass(
      ImageCollection(path), network: scorer.network, keeping: [.features, .scores], selection: selection)
    return try pass.run(scratch: scratch, isStopRequested: isStopRequested).map {
      FeatureSet(
        statistics: try FeatureStatistics($0.moments, featureNetworkSHA256: "n", origin: path), features: $0.features,
        scores: $0.scores)
    }
  }

  private func scores(_ path: String, _ selection: ImageSelection, sets: Int? = nil) throws -> [Score] {
    let samples = try #require(try gathered(path, selection))
    guard let sets else { return try scorer.scores(of: samples, origin: path) }
    return try scorer.scores(
      of: samples, in: ImageSets(sets, of: ImageCollection(path), selection: selection), origin: path)
  }

  /// A samples file of chosen images of the digits.
  private func samples(_ places: [Int], _ name: String = "part.h5") throws -> String {
    let path = folder.file(name)
    let bytes = try ImageCollection(Self.archive).images(0..<1797)
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      try file.root.write(
        places.flatMap { bytes[$0 * 64..<($0 + 1) * 64] }, shape: [places.count, 8, 8, 1], to: "images")
    }
    return path
  }

  @Test("Each set's figures are those of its images alone, to the bit; mean and spread are theirs")
  func sets() throws {
    let found = try scores(Self.archive, .first(1500), sets: 3)
    #expect(found.map(\.figure) == ["fid", "kid", "is", "precision", "recall", "fid_infinity"])
    for set in 0..<3 {
      let alone = try scores(samples(Array(set * 500..<(set + 1) * 500)), .first(nil))
      #expect(found.map { $0.sets[set] } == alone.map(\.value), "set \(set)")
      #expect(
        zip(found, alone).allSatisfy { $0.definition == $1.definition + "; mean over 3 consecutive sets of 500 images" }
      )
    }
    for score in found {
      #expect(score.imageCount == 500 && score.sets.count == 3)
      let mean = (score.sets[0] + score.sets[1] + score.sets[2]) / 3
      let variance = score.sets.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 2
      #expect(abs(score.value - mean) <= 1e-12 * abs(mean))
      #expect(abs(try #require(score.spread) - variance.squareRoot()) <= 1e-12 * abs(mean))
      #expect(score.uncertainty?.kind == .standardDeviation && score.uncertainty?.value == score.spread)
      #expect(score.uncertainty?.origin == "sample standard deviation over 3 consecutive sets of 500 images")
    }
    #expect(try #require(found[0].spread) > 0.01)
    Threads.use(1)
    defer { Threads.use(2) }
    #expect(try scores(Self.archive, .first(1500), sets: 3) == found)
  }

  @Test("Sets of draws hold the draws in their order, not the images in theirs")
  func resampledSets() throws {
    let found = try scores(Self.archive, .resampled(1200, seed: 5), sets: 4)
    #expect(try found.map { $0.sets[0] } == scores(Self.archive, .resampled(300, seed: 5)).map(\.value))
    let generator = Philox(seed: 5)
    for set in 0..<4 {
      let drawn = (set * 300..<(set + 1) * 300).map { generator.integer(below: 1797, stream: (UInt64($0), 0)) }
      let alone = try scores(samples(drawn.sorted()), .first(nil))
      #expect(found.map { $0.sets[set] } == alone.map(\.value), "set \(set)")
    }
  }

  @Test("A pass that was interrupted gives the same sets")
  func interrupted() throws {
    let selection = ImageSelection.first(1200)
    let whole = try scores(Self.archive, selection, sets: 4)
    var samples: FeatureSet?
    var rounds = 0
    while samples == nil && rounds < 20 {
      rounds += 1
      samples = try gathered(Self.archive, selection, scratch: folder.file(".state")) { true }
    }
    #expect(rounds > 3)
    let sets = try ImageSets(4, of: ImageCollection(Self.archive), selection: selection)
    #expect(try scorer.scores(of: #require(samples), in: sets, origin: Self.archive) == whole)
  }

  @Test("Images that cannot be divided, and sets too small for a metric, are refused with what to do")
  func refused() throws {
    func expect(_ words: [String], _ body: () throws -> Void) {
      let failure = #expect(throws: Failure.self) { try body() }
      #expect(failure?.status == .dataError)
      let text = failure?.description ?? ""
      for word in words { #expect(text.contains(word), "\(text)") }
    }
    let collection = try ImageCollection(Self.archive)
    expect([Self.archive, "1797 images", "4 sets", "--count 1796"]) {
      _ = try ImageSets(4, of: collection, selection: .first(nil))
    }
    expect(["1001 images", "--resample 1000"]) {
      _ = try ImageSets(4, of: collection, selection: .resampled(1001, seed: 0))
    }
    expect(["7 image(s)", "4 sets", "--sets"]) { _ = try ImageSets(4, of: collection, selection: .first(7)) }
    // Ten splits of an Inception Score; the first set has as few images as any.
    expect(["\(Self.archive), set 1 of 100", "10 splits"]) {
      _ = try scores(Self.archive, .first(800), sets: 100)
    }
  }

  @Test("What is to be known of some sets alone says of which; a score file is read back whole")
  func notes() throws {
    // Equal images have a covariance of rank 0.
    let path = try samples([Int](repeating: 3, count: 300) + Array(0..<600))
    let found = try scores(path, .first(nil), sets: 3)
    #expect(found[0].notes.contains { $0.hasPrefix("set 1: the covariance of the scored images has rank 0") })
    #expect(found[0].notes.contains { $0.hasPrefix("300 scored images are fewer than ten times") })
    #expect(Set(found[0].notes).count == found[0].notes.count)
    let file = folder.file("score.h5")
    try HDF5File.publish(file) { try Score.write(found, featureNetworkSHA256: "n", convention: .native, to: $0) }
    let root = try HDF5File.open(file).root
    #expect(try Score.read(from: root) == found)
    #expect(try root.doubleAttribute("fid_spread") == found[0].spread)
    #expect(try root.doublesAttribute("kid_sets") == found[1].sets)
    #expect(try root.stringsAttribute("figures").count == 6)
  }
}
