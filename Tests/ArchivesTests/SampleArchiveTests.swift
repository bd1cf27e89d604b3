import Archives
import Compute
import Diagnostics
import Foundation
import HDF5
import OptionValues
import Sampling
import Synchronization
import TestSupport
import Testing

@Suite("Sample archives")
struct SampleArchiveTests {
  let folder: TemporaryFolder
  let seeds: SeedList

  init() throws {
    folder = try TemporaryFolder()
    seeds = try SeedList("10-209,3,1000-1049")
  }

  private func archive(
    _ network: AnalyticDenoiser = AnalyticDenoiser(), batch: Int, part: Int? = nil
  ) throws -> SampleArchive<AnalyticDenoiser> {
    try SampleArchive(
      network: network, networkPath: "network.h5",
      recipe: SampleRecipe(sampler: .oneStep(OneStepSampler()), seeds: seeds), batch: batch, checkpointImages: part,
      sheet: (4, 3))
  }

  private func images(_ name: String) throws -> [UInt8] {
    try HDF5File.open(folder.file(name)).root.dataset("images").read(UInt8.self)
  }

  @Test("An archive says what it is and holds images, labels and seeds")
  func layout() throws {
    var callbacks = SampleArchive<AnalyticDenoiser>.Callbacks()
    let sheet = Mutex<(bytes: [UInt8], count: Int)>(([], 0))
    callbacks.completing = { bytes, count in sheet.withLock { $0 = (bytes, count) } }
    #expect(
      try archive(batch: 16).write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t 1", callbacks: callbacks)
        == .complete)
    let file = try HDF5File.open(folder.file("a.h5"))
    try file.requireFormat(HDF5Format("sid-samples"))
    #expect(try file.root.stringAttribute("created_by") == "t 1")
    #expect(try file.root.stringAttribute("provenance") == "{}")
    #expect(try file.root.dataset("images").shape == [251, 4, 6, 3])
    #expect(try file.root.dataset("seeds").read(UInt64.self) == seeds[0..<251])
    let latents = Latents(seeds: seeds[0..<251], imageShape: [4, 6, 3], labelDim: 5)
    #expect(try file.root.dataset("labels").read(Int64.self) == latents.classes?.map(Int64.init))
    let expected = try #require(Sampler.oneStep(OneStepSampler()).images(AnalyticDenoiser(), latents))
    #expect(try file.root.dataset("images").read(UInt8.self) == expected)
    #expect(sheet.withLock { $0.count == 12 && $0.bytes == Array(expected.prefix(12 * 72)) })
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["a.h5", "a.manifest.json"],
      "nothing else is left beside it")
    let preview = try file.root.dataset("preview")
    #expect(preview.shape[2] == 3 && preview.hasAttribute("IMAGE_MINMAXRANGE"))
    #expect(try preview.stringAttribute("CLASS") == "IMAGE" && preview.stringAttribute("IMAGE_VERSION") == "1.2")
    #expect(try preview.stringAttribute("IMAGE_SUBCLASS") == "IMAGE_TRUECOLOR")
    #expect(try preview.stringAttribute("INTERLACE_MODE") == "INTERLACE_PIXEL")
  }

  @Test("A network without classes has no labels")
  func unconditional() throws {
    let network = AnalyticDenoiser(labelDim: 0)
    #expect(
      try archive(network, batch: 64).write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t") == .complete)
    #expect(try HDF5File.open(folder.file("a.h5")).root.names == ["images", "seeds", "preview"])
  }

  @Test("Batch, part size and stops do not show in the file", arguments: [(1, 7), (7, 100), (64, 10), (300, nil)])
  func independence(batch: Int, part: Int?) throws {
    #expect(try archive(batch: 50).write(to: folder.file("whole.h5"), provenance: "{}", createdBy: "t") == .complete)
    // Stopped after every third batch, and gone on with other sizes each time.
    var runs = 0
    var finished: SampleArchive<AnalyticDenoiser>.Outcome?
    while finished != .complete {
      var callbacks = SampleArchive<AnalyticDenoiser>.Callbacks()
      var batches = 0
      callbacks.shouldStop = {
        batches += 1
        return batches == 3
      }
      finished = try archive(batch: batch + runs, part: part.map { $0 + runs }).write(
        to: folder.file("parts.h5"), provenance: "{}", createdBy: "t", callbacks: callbacks)
      runs += 1
      if finished == .stopped { #expect(!FileManager.default.fileExists(atPath: folder.file("parts.h5"))) }
      try #require(runs < 300)
    }
    if batch < 64 { #expect(runs > 2) }
    let bytes = { (name: String) in try Data(contentsOf: URL(fileURLWithPath: folder.file(name))) }
    #expect(try bytes("whole.h5") == bytes("parts.h5"))
  }

  /// Makes the first parts of an archive and stops.
  private func interrupted(provenance: String = "{}", network: AnalyticDenoiser = AnalyticDenoiser()) throws {
    var callbacks = SampleArchive<AnalyticDenoiser>.Callbacks()
    var batches = 0
    callbacks.shouldStop = {
      batches += 1
      return batches == 6
    }
    let finished = try archive(network, batch: 10, part: 20).write(
      to: folder.file("a.h5"), provenance: provenance, createdBy: "t", callbacks: callbacks)
    #expect(finished == .stopped)
  }

  private func resumed(provenance: String = "{}") throws -> (done: Int, discarded: Int) {
    var callbacks = SampleArchive<AnalyticDenoiser>.Callbacks()
    var seen = (done: 0, discarded: 0)
    callbacks.started = { seen = (done: $0, discarded: $2) }
    #expect(
      try archive(batch: 33).write(
        to: folder.file("a.h5"), provenance: provenance, createdBy: "t", callbacks: callbacks) == .complete)
    return seen
  }

  @Test("Finished parts are not made again; a missing one, a damaged one and foreign ones are")
  func resumption() throws {
    #expect(try archive(batch: 50).write(to: folder.file("whole.h5"), provenance: "{}", createdBy: "t") == .complete)
    let expected = try images("whole.h5")

    try interrupted()
    #expect(try resumed() == (done: 60, discarded: 0))
    #expect(try images("a.h5") == expected)

    try interrupted()
    let parts = folder.file(".a.parts/")
    try FileManager.default.removeItem(atPath: parts + "000000000020-000000000040.h5")
    let damaged = URL(fileURLWithPath: parts + "000000000000-000000000020.h5")
    try Data(try Data(contentsOf: damaged).prefix(900)).write(to: damaged)
    try Data("debris".utf8).write(to: URL(fileURLWithPath: parts + "000000000060-000000000080.h5.partial"))
    #expect(try resumed() == (done: 20, discarded: 1))
    #expect(try images("a.h5") == expected)

    try interrupted(provenance: #"{"network":"another"}"#, network: AnalyticDenoiser(scale: 0.4))
    #expect(try resumed() == (done: 0, discarded: 3))
    #expect(try images("a.h5") == expected)
  }

  @Test("A part whose content was altered is found by its checksum and made anew by the next run")
  func alteredPart() throws {
    try interrupted()
    let path = URL(fileURLWithPath: folder.file(".a.parts/000000000000-000000000020.h5"))
    var bytes = try Data(contentsOf: path)
    let image = try #require(
      Sampler.oneStep(OneStepSampler()).images(
        AnalyticDenoiser(), Latents(seeds: [10], imageShape: [4, 6, 3], labelDim: 5)))
    let place = try #require(bytes.range(of: Data(image)))
    bytes[place.lowerBound + 5] ^= 1
    try bytes.write(to: path)
    #expect { try archive(batch: 33).write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t") } throws: {
      error in
      (error as? Failure)?.status == .ioError && "\(error)".contains("000000000000-000000000020.h5")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
    #expect(try resumed().done == 231)
  }

  @Test("Two processes do not make the same archive at once")
  func locked() throws {
    var callbacks = SampleArchive<AnalyticDenoiser>.Callbacks()
    callbacks.started = { _, _, _ in
      #expect { try archive(batch: 10).write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t") } throws: {
        error in
        (error as? Failure)?.status == .temporaryFailure && "\(error)".contains("another process")
      }
    }
    #expect(
      try archive(batch: 10).write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t", callbacks: callbacks)
        == .complete)
  }

  @Test("A network that gives no finite numbers is named, and no archive appears")
  func notFinite() throws {
    let broken = try archive(AnalyticDenoiser(scale: .infinity), batch: 10)
    #expect { try broken.write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t") } throws: { error in
      (error as? Failure)?.status == .dataError
        && "\(error)".hasPrefix("network.h5: it gives numbers that are not finite")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
  }
}
