import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Sampling
import Synchronization

/// One run of a sampler over what is missing of an archive: latents are drawn ahead of the network, and everything that
/// comes after it happens beside it.
struct SampleMaking<Network: Denoiser> {
  let archive: SampleArchive<Network>
  let setting: SampleFileJob.Setting
  let output: String
  let callbacks: SampleArchive<Network>.Callbacks

  /// A piece of work for the network.
  private struct Batch {
    let job: SampleFileJob
    /// Counted in the job's file; empty where only the file is to be put together.
    let range: Range<Int>
    let closesPart: Bool
    let completesFile: Bool
  }

  /// Makes the archive as one file.
  func file() throws -> SampleArchive<Network>.Outcome {
    let job: SampleFileJob
    do {
      job = try SampleFileJob(output, images: 0..<archive.count, attributes: [:], setting: setting)
    } catch let held as PartsHeld {
      throw held.failure
    }
    callbacks.started(job.finishedCount, archive.count, job.discarded)
    var jobs: [SampleFileJob] = [job]
    let (completing, digested) = (callbacks.completing, callbacks.digested)
    let manifest = { @Sendable [setting, output, archive] (digest: String) in
      try SampleManifest(
        output, sha256: digest, createdBy: setting.createdBy, provenance: setting.provenance,
        imageShape: setting.imageShape, seeds: archive.recipe.seeds
      ).publish(beside: output)
    }
    let isDone = try run(done: job.finishedCount, nextJob: { jobs.popLast() }) { job in
      var sha256 = ""
      try job.finish(
        digested: { digest, _ in
          sha256 = digest
          try manifest(digest)
        }, companions: completing)
      digested([job.path: sha256])
    }
    return isDone ? .complete : .stopped
  }

  /// Makes the shards of a share that are missing.
  func shards(_ plan: ShardPlan, share: WorkShare?, existing: ExistingShards) throws
    -> SampleArchive<Network>.Outcome
  {
    let wanted = plan.share(share)
    var missing: [Int] = []
    var done = 0
    for shard in wanted {
      try Interruption.check()
      if try existing.isFinished(plan, shard, provenance: setting.provenance) {
        done += plan.images(shard).count
      } else {
        missing.append(shard)
      }
    }
    callbacks.started(done, wanted.reduce(0) { $0 + plan.images($1).count }, 0)
    if missing.isEmpty { return .complete }
    let records = ShardRecords(plan)
    try records.createFolder()
    var held: [Int] = []
    var remaining = missing[...]
    let isDone = try run(done: done) {
      while let shard = remaining.popFirst() {
        let job: SampleFileJob
        do {
          job = try SampleFileJob(
            plan.path(shard), images: plan.images(shard),
            attributes: ["shard_index": shard, "shard_size": plan.size, "archive_images": plan.count],
            setting: setting)
        } catch is PartsHeld {
          held.append(shard)
          continue
        }
        // Another process may have finished it since.
        guard try existing.isFinished(plan, shard, provenance: setting.provenance) else { return job }
        job.leave()
      }
      return nil
    } finish: { job in
      try job.finish(digested: { digest, partial in try records.save(job.path, sha256: digest, partial: partial) })
    }
    guard isDone else { return .stopped }
    // What others were making may be finished by now.
    held = try held.filter { try !existing.isFinished(plan, $0, provenance: setting.provenance) }
    return held.isEmpty ? .complete : .held(held)
  }

  /// Evaluates the network over all batches of all jobs. Returns false if it was stopped.
  private func run(
    done: Int, nextJob: @escaping () throws -> SampleFileJob?,
    finish: @escaping @Sendable (SampleFileJob) throws -> Void
  ) throws -> Bool {
    let writer = SerialWriter()
    defer { writer.wait() }
    // A file whose putting together was interrupted keeps its parts; what is open beside it is still put on the disk.
    let wasInterrupted = Mutex(false)
    var done = done
    var queue = BatchQueue(archive: archive, nextJob: nextJob)
    var upcoming = try queue.next()
    var latents = upcoming.map(prefetch)
    while let batch = upcoming {
      let drawn = try latents?.value()
      upcoming = try queue.next()
      latents = upcoming.map(prefetch)
      if let drawn {
        let values = archive.recipe.sampler.values(archive.network, drawn)
        try writer.submit {
          try batch.job.append(batch.range, values, classes: drawn.classes, closing: batch.closesPart)
        }
        done += batch.range.count
      }
      if batch.completesFile {
        try writer.submit {
          do { try finish(batch.job) } catch is Interrupted { wasInterrupted.withLock { $0 = true } }
        }
      }
      callbacks.progressed(done)
      if !batch.range.isEmpty, callbacks.shouldStop(), upcoming != nil {
        try writer.submit { try batch.job.closePart() }
        try writer.drain()
        return false
      }
    }
    try writer.drain()
    return wasInterrupted.withLock { !$0 }
  }

  /// Has the latents of a batch drawn while the network is busy with the one before.
  private func prefetch(_ batch: Batch) -> Background<Latents?> {
    let (recipe, network, start) = (archive.recipe, archive.network, batch.job.images.lowerBound)
    let range = start + batch.range.lowerBound..<start + batch.range.upperBound
    return Background { range.isEmpty ? nil : try recipe.latents(range, of: network) }
  }

  /// Cuts jobs into batches.
  private struct BatchQueue {
    let archive: SampleArchive<Network>
    let nextJob: () throws -> SampleFileJob?
    private var job: SampleFileJob?
    private var runs: ArraySlice<Range<Int>> = []
    private var partStart = 0

    init(archive: SampleArchive<Network>, nextJob: @escaping () throws -> SampleFileJob?) {
      self.archive = archive
      self.nextJob = nextJob
    }

    mutating func next() throws -> Batch? {
      guard let job else {
        guard let next = try nextJob() else { return nil }
        runs = next.missing[...]
        partStart = runs.first?.lowerBound ?? 0
        // All parts are there, and the process was killed before they became the file.
        if runs.isEmpty { return Batch(job: next, range: 0..<0, closesPart: false, completesFile: true) }
        self.job = next
        return try self.next()
      }
      guard let run = runs.first else { preconditionFailure("a job without work") }
      let limit = archive.checkpointImages.map { partStart + $0 } ?? Int.max
      let range = run.lowerBound..<min(run.lowerBound + archive.batch, run.upperBound, limit)
      let endsRun = range.upperBound == run.upperBound
      let closesPart = endsRun || range.upperBound == limit
      runs = endsRun ? runs.dropFirst() : [range.upperBound..<run.upperBound] + runs.dropFirst()
      if closesPart { partStart = endsRun ? runs.first?.lowerBound ?? 0 : range.upperBound }
      if runs.isEmpty { self.job = nil }
      return Batch(job: job, range: range, closesPart: closesPart, completesFile: runs.isEmpty)
    }
  }
}
