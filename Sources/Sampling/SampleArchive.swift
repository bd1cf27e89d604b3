import Diagnostics
import Files
import Foundation
import HDF5

/// An archive of samples in the making (`sid-samples`): /images uint8 [N, H, W, C], /labels int64 [N] where the network
/// has classes, /seeds uint64 [N].
///
/// Every image is a function of network, sampler, class choice and its own seed. The archive is the same whatever the
/// batch, the threads, and the interruptions.
public struct SampleArchive<Network: Denoiser>: Sendable {
  /// The `format` attribute of an archive.
  public static var format: String { "sid-samples" }

  /// Makes the images.
  public let network: Network
  /// The file that errors about the network name.
  public let networkPath: String
  /// The way from latents to images.
  public let sampler: Sampler
  /// One seed per image.
  public let seeds: SeedList
  /// Which class an image gets.
  public let classChoice: ClassChoice
  /// Images in one evaluation of the network; does not change the result.
  public let batch: Int
  /// Images after which a part is put on the disk; nil for every few seconds.
  public let checkpointImages: Int?

  /// - Parameters:
  ///   - network: makes the images.
  ///   - networkPath: the file that errors about it name.
  ///   - sampler: the way from latents to images.
  ///   - seeds: one per image.
  ///   - classChoice: which class an image gets.
  ///   - batch: images in one evaluation.
  ///   - checkpointImages: images of a part; nil for as many as a few seconds make.
  /// - Throws: a `Failure` (`usage`) for a class that the network does not have.
  public init(
    network: Network, networkPath: String, sampler: Sampler, seeds: SeedList, classChoice: ClassChoice, batch: Int,
    checkpointImages: Int? = nil
  ) throws {
    precondition(batch > 0 && checkpointImages ?? 1 > 0, "batch \(batch), checkpoint \(checkpointImages ?? 1)")
    try classChoice.validate(labelDim: network.labelDim, network: networkPath)
    try sampler.validate(sigmaRange: network.sigmaRange, network: networkPath)
    self.network = network
    self.networkPath = networkPath
    self.sampler = sampler
    self.seeds = seeds
    self.classChoice = classChoice
    self.batch = batch
    self.checkpointImages = checkpointImages
  }

  /// What the caller of `write` wants to know and to decide.
  public struct Callbacks {
    /// Called once before the work, with the images that are there already and the parts that had to be dropped.
    public var started: (_ done: Int, _ discardedParts: Int) -> Void = { _, _ in }
    /// Called after each batch with the images done.
    public var progressed: (_ done: Int) -> Void = { _ in }
    /// Asked after each batch; true saves what is there and stops.
    public var shouldStop: () -> Bool = { false }
    /// Called with the first images, [count, H, W, C], before the archive takes its name: the place to publish what
    /// stands beside it.
    public var completing: (_ firstImages: [UInt8], _ count: Int) throws -> Void = { _, _ in }
    /// How many images `completing` gets at most.
    public var firstImages = 0

    /// Nothing is asked and nothing is told.
    public init() {}
  }

  /// Makes the archive, or what is missing of it, and publishes it.
  ///
  /// - Parameters:
  ///   - output: the archive.
  ///   - provenance: its `provenance` attribute.
  ///   - createdBy: its `created_by` attribute.
  ///   - callbacks: progress, stop, and companions of the archive.
  /// - Returns: false if it was stopped before it was complete; what is done is on the disk.
  /// - Throws: a `Failure` where the archive cannot be written, or the network gives numbers that are not finite.
  public func write(
    to output: String, provenance: String, createdBy: String, callbacks: Callbacks = Callbacks()
  ) throws -> Bool {
    let parts = try SampleParts(
      output: output, provenance: provenance, imageShape: network.imageShape, hasLabels: network.labelDim > 0,
      count: seeds.count)
    callbacks.started(parts.finishedCount, parts.discarded)
    for run in parts.missing {
      guard try make(run, parts, callbacks) else { return false }
    }
    try assemble(parts, output: output, provenance: provenance, createdBy: createdBy, callbacks: callbacks)
    parts.remove()
    return true
  }

  /// Removes what an interrupted run may have left beside an archive that is complete.
  public static func removeLeftovers(of output: String) { SampleParts.remove(of: output) }

  // A part is closed by time or size, so that a kill loses seconds of work and memory stays bounded.
  private static var partSeconds: Double { 10 }
  private static var partBytes: Int { 32 << 20 }

  private var imageBytes: Int { network.imageShape.reduce(1, *) }

  /// Makes the images of one run, part by part. Returns false if it was stopped.
  private func make(_ run: Range<Int>, _ parts: SampleParts, _ callbacks: Callbacks) throws -> Bool {
    var images: [UInt8] = []
    var labels: [Int64] = []
    var partStart = run.lowerBound
    var next = run.lowerBound
    var opened = ProcessInfo.processInfo.systemUptime
    while next < run.upperBound {
      let limit = checkpointImages.map { partStart + $0 } ?? Int.max
      let range = next..<min(next + batch, run.upperBound, limit)
      let latents = Latents(
        seeds: seeds[range], imageShape: network.imageShape, labelDim: network.labelDim, choice: classChoice)
      guard let bytes = sampler.images(network, latents) else {
        throw Failure(
          .dataError, networkPath, "it gives numbers that are not finite for a seed of \(describe(range))",
          remedy: "check where this network comes from, and that nobody changed the file meanwhile")
      }
      images += bytes
      labels += (latents.classes ?? []).map(Int64.init)
      next = range.upperBound
      let stopping = callbacks.shouldStop()
      let isFull =
        checkpointImages.map { next - partStart >= $0 }
        ?? (ProcessInfo.processInfo.systemUptime - opened >= Self.partSeconds)
      if isFull || stopping || next == run.upperBound || images.count >= Self.partBytes {
        try parts.publish(partStart..<next, images: images, labels: labels)
        images.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        partStart = next
        opened = ProcessInfo.processInfo.systemUptime
      }
      callbacks.progressed(parts.finishedCount + next - partStart)
      if stopping && parts.finishedCount < seeds.count { return false }
    }
    return true
  }

  private func describe(_ range: Range<Int>) -> String {
    let batchSeeds = seeds[range]
    return "\(batchSeeds.first ?? 0)...\(batchSeeds.last ?? 0)"
  }

  /// Streams the parts into the archive, in whole chunks.
  private func assemble(
    _ parts: SampleParts, output: String, provenance: String, createdBy: String, callbacks: Callbacks
  ) throws {
    let count = seeds.count
    let chunkRows = max(1, (256 << 10) / imageBytes)
    try HDF5File.publish(output) { file in
      try file.root.setAttribute("format", Self.format)
      try file.root.setAttribute("format_version", 1)
      try file.root.setAttribute("created_by", createdBy)
      try file.root.setAttribute("provenance", provenance)
      let storage = HDF5Storage.chunked(rows: chunkRows, checksum: true, deflate: nil)
      let imageSet = try file.root.createDataset(
        "images", of: UInt8.self, shape: [count] + network.imageShape, storage: storage)
      let labelSet =
        network.labelDim > 0
        ? try file.root.createDataset("labels", of: Int64.self, shape: [count], storage: storage) : nil
      let seedSet = try file.root.createDataset("seeds", of: UInt64.self, shape: [count], storage: storage)

      var first: [UInt8] = []
      var images: [UInt8] = []
      var labels: [Int64] = []
      var written = 0
      for part in parts.finished {
        let content = try parts.read(part)
        let wanted = callbacks.firstImages * imageBytes - first.count
        if wanted > 0 { first += content.images.prefix(wanted) }
        images += content.images
        labels += content.labels
        let held = images.count / imageBytes
        let rows = written + held == count ? held : held / chunkRows * chunkRows
        guard rows > 0 else { continue }
        let target = written..<written + rows
        try imageSet.write(Array(images.prefix(rows * imageBytes)), rows: target)
        try labelSet?.write(Array(labels.prefix(rows)), rows: target)
        try seedSet.write(seeds[target], rows: target)
        images.removeFirst(rows * imageBytes)
        labels.removeFirst(min(rows, labels.count))
        written += rows
      }
      guard written == count else {
        throw Failure(.software, output, "\(written) of \(count) images are there when all should be")
      }
      try callbacks.completing(first, first.count / imageBytes)
    }
  }
}
