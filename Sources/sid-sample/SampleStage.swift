import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Images
import Models
import Sampling
import Stage

/// One run of `sid-sample`, from its options to its files.
struct SampleStage {
  let command: SidSample
  let context: StageContext

  private var output: String { command.output }

  func run() throws {
    let seeds = try SeedList(command.seeds)
    try command.images.rng.validate(seeds)
    Threads.use(context.threads)
    let path = command.network
    // The digest takes about as long as reading the network.
    let digest = Background { try SHA256.hexDigest(ofFile: path) }
    let network = try Network(contentsOf: path, deferringWeights: true)
    let archive = try SampleArchive(
      network: network, networkPath: command.network, sampler: command.images.chosenSampler, seeds: seeds,
      classChoice: command.images.classChoice, batch: command.work.batch ?? Self.batch(network),
      checkpointImages: command.work.checkpointImages)
    KernelSet.use(named: command.kernels.kernels.rawValue)
    // Transformed weights that no second batch would use are not worth their memory.
    let isSingle = archive.seeds.count <= archive.batch && archive.sampler.evaluations == 1
    WeightCache.limitBytes = command.work.lowMemory || isSingle ? 0 : WeightCache.samplingLimitBytes
    if context.options.dryRun { return estimate(archive).print() }

    let provenance = try provenance(archive, networkDigest: digest.value())
    try command.expected.check(provenance)
    let state = try FinishedOutput.check(output, wanted: provenance, overwrite: context.options.overwrite) {
      try HDF5File.open($0).root.stringAttribute("provenance")
    }
    guard state == .missing else {
      SampleArchive<Network>.removeLeftovers(of: output)
      return context.note("\(output): made from the same network and options already; nothing to do")
    }
    try Machine.requireMemory(
      peakMemoryBytes(archive), for: command.network, remedy: "choose a smaller --batch or --low-memory")
    try make(archive, provenance)
  }

  private func make(_ archive: SampleArchive<Network>, _ provenance: Provenance) throws {
    let started = ProcessInfo.processInfo.systemUptime
    var progress: ProgressReporter?
    var earlier = 0
    var callbacks = SampleArchive<Network>.Callbacks()
    callbacks.started = { done, discarded in
      earlier = done
      if discarded > 0 { context.note("\(output): parts of another making are dropped: \(discarded)") }
      if done > 0 { context.note("\(output): continues after \(done) of \(archive.seeds.count) images") }
      progress = context.progress("sample", total: archive.seeds.count, unit: "images", alreadyDone: done)
    }
    callbacks.progressed = { progress?.update(done: $0) }
    callbacks.shouldStop = { StopRequest.isRequested }
    callbacks.firstImages = command.work.contactSheetColumns * command.work.contactSheetRows
    callbacks.completing = { images, count in
      progress?.finish()
      let made = archive.seeds.count - earlier
      try publishCompanions(
        archive, images, count, imagesPerSecond: Double(made) / (ProcessInfo.processInfo.systemUptime - started))
    }
    let finished = try archive.write(
      to: output, provenance: provenance.json, createdBy: Version.line(context.program), callbacks: callbacks)
    guard finished else {
      progress?.finish()
      throw StopRequest.failure(output)
    }
  }

  /// The contact sheet and the summary, which stand there before the archive takes its name.
  private func publishCompanions(
    _ archive: SampleArchive<Network>, _ images: [UInt8], _ count: Int, imagesPerSecond: Double
  ) throws {
    let shape = archive.network.imageShape
    var figures: [String: JSONValue] = ["archive": .string(name(output))]
    // Images of other channels than gray and RGB have no picture.
    if [1, 3].contains(shape[2]) {
      let sheet = companion(of: output, extension: "png")
      try ContactSheet.write(
        images: images, count: count, shape: ImageShape(height: shape[0], width: shape[1], channels: shape[2]),
        columns: command.work.contactSheetColumns, to: sheet)
      figures["contact_sheet"] = .string(name(sheet))
    }
    try publishSummary(
      output: output, stage: "sample", figures: figures,
      details: [
        "images": .int(archive.seeds.count), "seeds": .string(archive.seeds.description),
        "image_shape": .array(shape.map { .int($0) }), "network": .string(name(command.network)),
        "sampler": .object(archive.sampler.options.mapValues { .string($0) }),
        "evaluations_per_image": .int(archive.sampler.evaluations), "images_per_second": .double(imagesPerSecond),
      ])
  }

  private func name(_ path: String) -> String { (path as NSString).lastPathComponent }

  private func provenance(_ archive: SampleArchive<Network>, networkDigest: String) throws -> Provenance {
    var options = archive.sampler.options
    options["seeds"] = archive.seeds.description
    options["class"] = archive.classChoice.description
    options["rng"] = command.images.rng.rawValue
    options.merge(command.kernels.record) { $1 }
    return Provenance(
      program: context.program, inputs: ["network": try .init(command.network, sha256: networkDigest)],
      options: options,
      kernels: KernelSet.name)
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
        * (Double(prepared) + Self.bytesPerImage(network) * Double(archive.batch)
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
    let count = archive.seeds.count
    let evaluations = Double(count * archive.sampler.evaluations)
    let few = min(archive.batch, 8)
    let shape = archive.network.imageShape
    let latents = Latents(seeds: (0..<UInt64(few)).map { $0 }, imageShape: shape, labelDim: archive.network.labelDim)
    var seconds = Double.infinity
    for _ in 0..<2 {
      let started = ProcessInfo.processInfo.systemUptime
      _ = archive.network.denoise(latents.noise, sigma: [2.5], classLabels: latents.classLabels)
      seconds = min(seconds, ProcessInfo.processInfo.systemUptime - started)
    }
    // The parts and the archive lie on the disk together for a moment.
    let imageBytes = shape.reduce(1, *) + 16
    return Estimate(
      work: "\(count) images, \(archive.sampler.evaluations) evaluations each",
      flops: archive.network.cost.flops * evaluations, peakMemoryBytes: peakMemoryBytes(archive),
      diskBytes: 2 * imageBytes * count, hours: seconds / Double(few) * evaluations / 3600)
  }
}
