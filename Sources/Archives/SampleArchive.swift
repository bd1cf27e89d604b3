import Diagnostics
import Files
import Foundation
import HDF5
import Sampling

/// An archive of samples in the making (`sid-samples`): /images uint8 [N, H, W, C], /labels int64 [N] where the network
/// has classes, /seeds uint64 [N], /preview.
///
/// Every image is a function of network, sampler, class and its own seed. The archive is the same whatever the batch, the
/// threads, and the interruptions. It is one file, or shards that a small file stitches together.
public struct SampleArchive<Network: Denoiser>: Sendable {
  /// Makes the images.
  public let network: Network
  /// The file that errors about the network name.
  public let networkPath: String
  /// What decides over the images beside the network.
  public let recipe: SampleRecipe
  /// Images in one evaluation of the network; does not change the result.
  public let batch: Int
  /// Images after which a part is put on the disk; nil for every few seconds.
  public let checkpointImages: Int?
  /// Images of a shard; nil for one file.
  public let shardSize: Int?
  /// Images in a row, and rows, of the picture that the archive holds.
  public let sheet: (columns: Int, rows: Int)

  /// - Parameters:
  ///   - network: makes the images.
  ///   - networkPath: the file that errors about it name.
  ///   - recipe: seeds, classes, random numbers, sampler.
  ///   - batch: images in one evaluation.
  ///   - checkpointImages: images of a part; nil for as many as a few seconds make.
  ///   - shardSize: images of a shard; nil for one file.
  ///   - sheet: images in a row, and rows, of the picture.
  /// - Throws: a `Failure` (`usage`) for a class that the network does not have.
  public init(
    network: Network, networkPath: String, recipe: SampleRecipe, batch: Int, checkpointImages: Int? = nil,
    shardSize: Int? = nil, sheet: (columns: Int, rows: Int) = (16, 8)
  ) throws {
    precondition(batch > 0 && checkpointImages ?? 1 > 0, "batch \(batch), checkpoint \(checkpointImages ?? 1)")
    try recipe.classChoice.validate(labelDim: network.labelDim, network: networkPath)
    try recipe.sampler.validate(sigmaRange: network.sigmaRange, network: networkPath)
    self.network = network
    self.networkPath = networkPath
    self.recipe = recipe
    self.batch = batch
    self.checkpointImages = checkpointImages
    self.shardSize = shardSize
    self.sheet = sheet
  }

  /// The number of images.
  public var count: Int { recipe.seeds.count }

  /// How the archive at `output` is cut; nil for one file.
  public func plan(_ output: String) -> ShardPlan? {
    shardSize.map { ShardPlan(archive: output, count: count, size: $0) }
  }

  /// What the caller of `write` wants to know and to decide.
  public struct Callbacks {
    /// Called once before the work, with the images that are there already, those that this process has to see to, and
    /// the parts that had to be dropped.
    public var started: (_ done: Int, _ total: Int, _ discardedParts: Int) -> Void = { _, _, _ in }
    /// Called after each batch with the images done.
    public var progressed: (_ done: Int) -> Void = { _ in }
    /// Asked after each batch; true saves what is there and stops.
    public var shouldStop: () -> Bool = { false }
    /// Called with the first images, [count, H, W, C], before the archive takes its name: the place to publish what
    /// stands beside it.
    public var completing: @Sendable (_ firstImages: [UInt8], _ count: Int) throws -> Void = { _, _ in }
    /// Called with the digests of the archive's files, by path, when it is complete.
    public var digested: @Sendable (_ sha256: [String: String]) -> Void = { _ in }

    /// Nothing is asked and nothing is told.
    public init() {}
  }

  /// How the making of an archive ended.
  public enum Outcome: Sendable, Equatable {
    /// The archive is there.
    case complete
    /// It was stopped; what is done is on the disk.
    case stopped
    /// All shards of the share are there.
    case shareComplete
    /// All that is left are shards that other processes are making.
    case held([Int])
  }

  /// Makes the archive, or what is missing of it, and publishes it.
  ///
  /// - Parameters:
  ///   - output: the archive.
  ///   - provenance: its `provenance` attribute.
  ///   - createdBy: its `created_by` attribute.
  ///   - share: the shards to make; nil for all of them, and for the file that stitches them together.
  ///   - existing: what to do with shards that are there.
  ///   - callbacks: progress, stop, and companions of the archive.
  /// - Throws: a `Failure` where the archive cannot be written, the network gives numbers that are not finite, or shards
  ///   are there that were made from something else.
  public func write(
    to output: String, provenance: String, createdBy: String, share: WorkShare? = nil,
    existing: ExistingShards = ExistingShards(), callbacks: Callbacks = Callbacks()
  ) throws -> Outcome {
    let setting = SampleFileJob.Setting(
      network: networkPath, imageShape: network.imageShape, hasLabels: network.labelDim > 0, recipe: recipe,
      provenance: provenance, createdBy: createdBy, sheet: sheet, closesByTime: checkpointImages == nil)
    let making = SampleMaking(archive: self, setting: setting, output: output, callbacks: callbacks)
    guard let plan = plan(output) else { return try making.file() }
    let outcome = try making.shards(plan, share: share, existing: existing)
    guard outcome == .complete else { return outcome }
    if share != nil { return .shareComplete }
    callbacks.digested(
      try SampleMaster(plan, mixingKernels: existing.mixingKernels).publish(
        createdBy: createdBy, sheet: sheet, companions: callbacks.completing))
    return .complete
  }

  /// Whether all shards of an archive stand beside it; one file has none to lack.
  public func hasAllShards(_ output: String) -> Bool {
    plan(output).map { plan in (0..<plan.shardCount).allSatisfy { access(plan.path($0), F_OK) == 0 } } ?? true
  }
}

/// What samples files have in common.
public enum SampleArchiveFormat {
  /// Of one file, of a shard, and of the file that stitches shards together.
  public static let format = HDF5Format("sid-samples")

  /// Removes what interrupted runs may have left beside an archive that is complete.
  /// - Throws: a `Failure` naming what cannot be removed.
  public static func removeLeftovers(of archive: String) throws { try SampleLeftovers.remove(of: archive) }
}
