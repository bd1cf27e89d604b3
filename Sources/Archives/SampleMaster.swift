import Diagnostics
import Files
import Foundation
import HDF5
import OptionValues
import Records

/// Closes an archive of shards: checks that they are all there and belong together, and publishes the file that stitches
/// them together, with the manifest.
public struct SampleMaster {
  private let plan: ShardPlan
  private let origins: [Provenance?]
  private let provenance: String
  private let createdBy: [String]
  private let imageShape: [Int]
  private let hasLabels: Bool

  /// The archive whose shards stand beside `output`; they say themselves how many there should be.
  ///
  /// - Parameters:
  ///   - output: the archive to be.
  ///   - mixingKernels: whether shards of different kernel sets may stand in it.
  /// - Throws: a `Failure` where there are no shards, some are missing, or they do not belong together.
  public init(shardsOf output: String, mixingKernels: Bool) throws {
    guard let name = try ShardPlan.found(beside: output).min() else {
      throw Failure(
        .noInput, output, "no shards of it are there (\(ShardPlan(archive: output, count: 1, size: 1).file(0)))",
        remedy: "make them with sid-sample --shards")
    }
    let path = ShardPlan.path(name, beside: output)
    let file = try HDF5File.open(path)
    try file.requireFormat(SampleArchiveFormat.format)
    let (count, size) = (try file.root.intAttribute("archive_images"), try file.root.intAttribute("shard_size"))
    guard count > 0, size > 0, count < 1 << 48, count / size < 1 << 20 else {
      throw Failure(.dataError, path, "a shard of \(size) of \(count) images")
    }
    try self.init(ShardPlan(archive: output, count: count, size: size), mixingKernels: mixingKernels)
  }

  /// - Throws: a `Failure` where shards are missing or do not belong together.
  init(_ plan: ShardPlan, mixingKernels: Bool) throws {
    self.plan = plan
    let missing = (0..<plan.shardCount).filter { access(plan.path($0), F_OK) != 0 }
    guard missing.isEmpty else {
      throw Failure(
        .noInput, plan.archive,
        "\(missing.count) of \(plan.shardCount) shards are missing: \(ShardPlan.describe(missing))",
        remedy: "make them with the command that made the others; an archive with gaps would read as black images")
    }
    var provenances: [String] = []
    var createdBy: [String] = []
    var first: (shape: [Int], hasLabels: Bool)?
    for shard in 0..<plan.shardCount {
      try Interruption.check()
      let path = plan.path(shard)
      let file = try HDF5File.open(path)
      try file.requireFormat(SampleArchiveFormat.format)
      let root = file.root
      let shape = try root.dataset("images").shape
      let seeds = try root.dataset("seeds").shape
      let hasLabels = root.contains("labels")
      let expected = first?.shape ?? Array(shape.dropFirst())
      guard shape.count == 4, shape == [plan.images(shard).count] + expected, seeds == [shape[0]],
        hasLabels == first?.hasLabels ?? hasLabels, try root.intAttribute("shard_index") == shard,
        try root.intAttribute("shard_size") == plan.size, try root.intAttribute("archive_images") == plan.count,
        try !hasLabels || root.dataset("labels").shape == [shape[0]]
      else {
        throw Failure(
          .dataError, path, "it is not shard \(shard) of this archive", remedy: "remove it and make it again")
      }
      first = (expected, hasLabels)
      provenances.append(try root.stringAttribute("provenance"))
      createdBy.append(try root.stringAttribute("created_by"))
    }
    guard let first else { throw Failure(.software, plan.archive, "an archive of no shards") }
    imageShape = first.shape
    hasLabels = first.hasLabels
    self.createdBy = createdBy
    origins = provenances.map { Provenance(json: $0) }
    provenance = try Self.common(provenances, origins, plan, mixingKernels: mixingKernels)
  }

  /// The provenance of the whole.
  private static func common(
    _ provenances: [String], _ origins: [Provenance?], _ plan: ShardPlan, mixingKernels: Bool
  ) throws -> String {
    var makers: [String: Int] = [:]
    for shard in provenances.indices where provenances[shard] != provenances[0] {
      guard let first = origins[0], let other = origins[shard] else {
        throw Failure(.dataError, plan.path(shard), "it was made from something else than \(plan.file(0))")
      }
      if let difference = other.difference(from: first) {
        throw Failure(
          .dataError, plan.path(shard), "it does not belong to \(plan.file(0)): \(difference)",
          remedy: "remove it and make it again")
      }
    }
    for origin in origins { makers[origin?.maker ?? "", default: 0] += 1 }
    if makers.count == 1 { return provenances[0] }
    guard mixingKernels else {
      let parts = makers.sorted { $0.key < $1.key }.map { "\($0.value) by \($0.key)" }
      throw Failure(
        .dataError, plan.archive, "its shards were computed in different ways: \(parts.joined(separator: "; "))",
        remedy: "images then agree to rounding, not to the bit; --mixed-kernels takes them")
    }
    let sets = Set(origins.compactMap { $0?.kernels }).sorted().joined(separator: " + ")
    return origins[0]?.with(kernels: sets).json ?? provenances[0]
  }

  /// The `provenance` attribute of the archive.
  public var archiveProvenance: String { provenance }

  /// [H, W, C].
  public var shape: [Int] { imageShape }

  /// The number of images.
  public var count: Int { plan.count }

  /// Publishes manifest and archive, and removes what is no longer needed.
  ///
  /// - Parameters:
  ///   - createdBy: the `created_by` attribute.
  ///   - sheet: images in a row, and rows, of the picture.
  ///   - companions: called with the first images before the archive takes its name.
  /// - Returns: the digests of the archive and its shards, by path.
  @discardableResult
  public func publish(
    createdBy: String, sheet: (columns: Int, rows: Int),
    companions: (_ firstImages: [UInt8], _ count: Int) throws -> Void
  ) throws -> [String: String] {
    let records = ShardRecords(plan)
    let digests = try (0..<plan.shardCount).map { try records.sha256(plan.path($0)) }
    let sources = (0..<plan.shardCount).map { HDF5VirtualSource(file: plan.file($0), rows: plan.images($0).count) }
    let first = try firstImages(sheet.columns * sheet.rows)
    var sha256 = Dictionary(digests.enumerated().map { (plan.path($0), $1) }) { $1 }
    let publishManifest = { (digest: String) in
      let seeds = try origins[0]?.options["seeds"].map { try SeedList($0) }
      guard let seeds, seeds.count == plan.count else { return }
      try manifest(digest, digests, seeds, createdBy: createdBy).publish(beside: plan.archive)
    }
    try HDF5File.publish(
      plan.archive,
      completing: { partial in
        let digest = try SHA256.hexDigest(ofFile: partial)
        sha256[plan.archive] = digest
        try publishManifest(digest)
      }
    ) { file in
      let root = file.root
      try root.setFormat(SampleArchiveFormat.format)
      try root.setAttribute("created_by", createdBy)
      try root.setAttribute("provenance", provenance)
      try root.setAttribute("shard_size", plan.size)
      try root.setAttribute("shard_files", sources.map(\.file))
      try root.setAttribute("shard_sha256", digests)
      // What other programs read in place of a missing shard is no class and no likely seed; images would be black.
      try root.createVirtualDataset(
        "images", of: UInt8.self, shape: [plan.count] + imageShape, sources: sources, fill: 0)
      if hasLabels {
        try root.createVirtualDataset("labels", of: Int64.self, shape: [plan.count], sources: sources, fill: -1)
      }
      try root.createVirtualDataset("seeds", of: UInt64.self, shape: [plan.count], sources: sources, fill: .max)
      try root.writePreview(first, imageShape: imageShape, columns: sheet.columns)
      try companions(first, first.count / max(1, imageShape.reduce(1, *)))
    }
    try SampleLeftovers.remove(of: plan.archive)
    return sha256
  }

  /// Publishes the manifest of an archive that is closed.
  func restoreManifest(
    _ seeds: SeedList, sha256 known: [String: String], _ digest: (String) throws -> String
  ) throws -> [String: String] {
    var sha256: [String: String] = [:]
    for path in [plan.archive] + (0..<plan.shardCount).map({ plan.path($0) }) {
      sha256[path] = try known[path] ?? digest(path)
    }
    let digests = (0..<plan.shardCount).map { sha256[plan.path($0)] ?? "" }
    let createdBy = try HDF5File.open(plan.archive).root.stringAttribute("created_by")
    try manifest(sha256[plan.archive] ?? "", digests, seeds, createdBy: createdBy).publish(beside: plan.archive)
    return sha256
  }

  private func manifest(_ digest: String, _ digests: [String], _ seeds: SeedList, createdBy: String) -> SampleManifest {
    SampleManifest(
      plan.archive, sha256: digest, createdBy: createdBy, provenance: provenance, imageShape: imageShape, seeds: seeds,
      shards: (0..<plan.shardCount).map { shard in
        SampleManifest.Shard(
          file: plan.file(shard), images: plan.images(shard).count,
          seeds: seeds.sublist(plan.images(shard)).description, sha256: digests[shard],
          kernels: origins[shard]?.kernels, createdBy: self.createdBy[shard])
      })
  }

  private func firstImages(_ count: Int) throws -> [UInt8] {
    var images: [UInt8] = []
    var wanted = min(count, plan.count)
    for shard in 0..<plan.shardCount where wanted > 0 {
      let rows = min(wanted, plan.images(shard).count)
      images += try HDF5File.open(plan.path(shard)).root.dataset("images").read(UInt8.self, rows: 0..<rows)
      wanted -= rows
    }
    return images
  }
}
