import Archives
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Images
import Models
import Records
import Sampling
import Stage
import Synchronization

/// One run of `sid-sample`, from its options to its files.
struct SampleStage {
  let command: SampleCommand
  let context: StageContext

  private var output: String { command.output }

  func run() throws {
    let recipe = try command.images.recipe(seeds: command.seeds)
    Threads.use(context.threads)
    let path = command.network
    // The digest takes about as long as reading the network.
    let digest = Background { try SHA256.hexDigest(ofFile: path) }
    let network = try Network(contentsOf: path, deferringWeights: true)
    let archive = try SampleArchive(
      network: network, networkPath: command.network, recipe: recipe, batch: command.work.batch ?? Self.batch(network),
      checkpointImages: command.work.checkpointImages, shardSize: command.work.shardSize,
      sheet: (command.work.contactSheetColumns, command.work.contactSheetRows))
    KernelSet.use(command.kernels.kernels)
    // Transformed weights that no second batch would use are not worth their memory.
    let isSingle = archive.count <= archive.batch && recipe.sampler.evaluations == 1
    WeightCache.limitBytes = command.work.lowMemory || isSingle ? 0 : WeightCache.samplingLimitBytes
    try noteOtherSampler(recipe.sampler)
    if context.options.dryRun { return estimate(archive).print() }

    let provenance = try provenance(archive, networkDigest: digest.value())
    try command.expected.check(provenance)
    let state = try FinishedOutput.check(output, wanted: provenance, overwrite: context.options.overwrite) {
      try HDF5File.open($0).root.stringAttribute("provenance")
    }
    let record = ArchiveRecord(
      archive: output, sheet: (command.work.contactSheetColumns, command.work.contactSheetRows), context: context)
    let exports = command.work.export
    guard !exports.contains(.png) || archive.count <= ArchiveRecord.mostExportedFiles else {
      throw Failure(
        .usage, "--export png", "would be \(archive.count) files, more than a record names",
        remedy: "give --export webdataset, or use sid-sample export --to png")
    }
    var digests: [String: String] = [:]
    if state == .missing || !archive.hasAllShards(output) {
      try Machine.requireMemory(
        peakMemoryBytes(archive), for: command.network, remedy: "choose a smaller --batch or --low-memory")
      try record.recorder.begin(overwrite: context.options.overwrite)
      guard let made = try make(archive, provenance, record) else { return }
      digests = made
    } else if try record.isFinished(wanted: provenance, exports: exports) {
      return context.note("\(output): made from the same network and options already; nothing to do")
    } else {
      context.note("\(output): made from the same network and options already; completing what belongs to it")
    }
    try record.complete(exports: exports, sha256: digests, details: details(archive))
  }

  /// Says where a network was made for another sampler: a teacher gives noise in one step.
  private func noteOtherSampler(_ sampler: Sampler) throws {
    let root = try HDF5File.open(command.network).root
    guard root.hasAttribute("provenance") else { return }
    switch (Provenance(json: try root.stringAttribute("provenance"))?.program, sampler) {
    case ("sid-train", .oneStep):
      context.note("\(command.network): a teacher, made by sid-train: one step gives noise; give --sampler heun")
    case ("sid-distill", .heun):
      context.note("\(command.network): a generator, made by sid-distill for one step; give --sampler one-step")
    default: break
    }
  }

  /// Returns the digests of the archive's files, or nil where only a share of it was to be made.
  private func make(_ archive: SampleArchive<Network>, _ provenance: Provenance, _ record: ArchiveRecord) throws
    -> [String: String]?
  {
    let started = ProcessInfo.processInfo.systemUptime
    var progress: ProgressReporter?
    let earlier = Mutex(0)
    let digests = Mutex<[String: String]>([:])
    let shape = archive.network.imageShape
    var callbacks = SampleArchive<Network>.Callbacks()
    callbacks.started = { done, total, discarded in
      earlier.withLock { $0 = done }
      if discarded > 0 { context.note("\(output): parts of another making are dropped: \(discarded)") }
      if done > 0 { context.note("\(output): continues after \(done) of \(total) images") }
      progress = context.progress("sample", total: total, unit: "images", alreadyDone: done)
    }
    callbacks.progressed = { progress?.update(done: $0) }
    callbacks.shouldStop = { StopRequest.isRequested }
    callbacks.completing = { images, number in
      let made = archive.count - earlier.withLock { $0 }
      var details = details(archive)
      details["images_per_second"] = .double(Double(made) / (ProcessInfo.processInfo.systemUptime - started))
      try record.keep(
        images, number, count: archive.count,
        shape: ImageShape(height: shape[0], width: shape[1], channels: shape[2]), provenance: provenance.json,
        details: details)
    }
    callbacks.digested = { sha256 in digests.withLock { $0 = sha256 } }
    let outcome = try archive.write(
      to: output, provenance: provenance.json, createdBy: Version.line(context.program), share: command.work.shards,
      existing: ExistingShards(replacing: context.options.overwrite, mixingKernels: command.work.mixedKernels),
      callbacks: callbacks)
    progress?.finish()
    switch outcome {
    case .complete: return digests.withLock { $0 }
    case .shareComplete:
      context.note(
        "\(output): share \(command.work.shards?.description ?? "") is complete; sid-sample merge closes the archive")
      return nil
    case .stopped: throw StopRequest.failure(output)
    case .held(let shards):
      throw Failure(
        .temporaryFailure, output, "another process is making \(shards.count) of its shards",
        remedy: "when it has ended, the same command or sid-sample merge closes the archive")
    }
  }

  /// What the record says of the work.
  private func details(_ archive: SampleArchive<Network>) -> [String: JSONValue] {
    [
      "seeds": .string(archive.recipe.seeds.description), "network": .string(name(command.network)),
      "sampler": .object(archive.recipe.sampler.options.mapValues { .string($0) }),
      "evaluations_per_image": .int(archive.recipe.sampler.evaluations),
    ]
  }

  private func name(_ path: String) -> String { (path as NSString).lastPathComponent }

  private func provenance(_ archive: SampleArchive<Network>, networkDigest: String) throws -> Provenance {
    var options = archive.recipe.sampler.options
    options["seeds"] = archive.recipe.seeds.description
    options["class"] = archive.recipe.classChoice.description
    options["rng"] = command.images.rng.rawValue
    options["shard-size"] = archive.shardSize.map { String($0) }
    options.merge(command.kernels.record) { $1 }
    var inputs = ["network": try Provenance.Input(command.network, sha256: networkDigest)]
    inputs["labels-file"] = try command.images.labelsFile.map { try Provenance.Input($0) }
    return Provenance(program: context.program, inputs: inputs, options: options, kernels: KernelSet.name)
  }

  private func peakMemoryBytes(_ archive: SampleArchive<Network>) -> Int {
    let network = archive.network
    let prepared = min(network.preparedWeightBytes, WeightCache.limitBytes)
    // Winograd's kernels read their weights from the file and transform them, to four times the size, layer by layer.
    let deferred = network.deferrableParameterCounts
    let plain =
      KernelSet.mode == .exact
      ? 2 * network.parameterCount : network.parameterCount - deferred.all + 5 * deferred.largest
    return byteCount(
      Double(NetworkCost.processBytes + 4 * plain)
        + NetworkCost.memoryFactor
        * (Double(prepared) + Self.bytesPerImage(network) * Double(min(archive.batch, archive.count))
          + 4 * Double(network.cost.attentionFloats * context.threads)))
  }

  /// What one image of a batch takes.
  private static func bytesPerImage(_ network: Network) -> Double {
    let cost = network.cost
    return 4 * Double(cost.skipFloats + cost.largestBlockFloats + network.labelDim)
  }

  /// More images at once hardly gain speed, and the images do not depend on it.
  private static func batch(_ network: Network) -> Int {
    min(64, max(1, Int(Double(256 << 20) / bytesPerImage(network))))
  }

  /// Measures the speed of the machine on a few images.
  private func estimate(_ archive: SampleArchive<Network>) -> Estimate {
    let count = archive.count
    let evaluations = Double(count * archive.recipe.sampler.evaluations)
    let seconds = archive.network.measuredSecondsPerImage(images: min(archive.batch, 8))
    let shape = archive.network.imageShape
    // The parts and the file that they become lie on the disk together for a moment.
    let imageBytes = shape.reduce(1, *) + 16
    let twice = min(count, archive.shardSize ?? count)
    return Estimate(
      work: "\(count) images, \(archive.recipe.sampler.evaluations) evaluations each",
      flops: archive.network.cost.flops * evaluations, peakMemoryBytes: peakMemoryBytes(archive),
      diskBytes: imageBytes * (count + twice), hours: seconds * evaluations / 3600)
  }
}
