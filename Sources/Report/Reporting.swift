import Diagnostics
import Files
import Foundation
import Sampling

/// A report in the making: what it is about, found in a job's folder, before anything is computed for it.
public struct Reporting: Sendable {
  /// What the caller may choose.
  public struct Options: Sendable {
    /// The archive; nil for that of the job's last sampling.
    public var samples: String?
    /// The archive's network; nil for the file of the folder that the archive names.
    public var network: String?
    /// Images of the contact sheet.
    public var sheetImages = 120
    /// Strips of images between two seeds; 0 for none.
    public var interpolations = 6
    /// Images of a strip, both ends included.
    public var frames = 9
    /// The most images that are compared with each other; 0 for none.
    public var duplicates = 10_000
    /// The defaults.
    public init() {}
  }

  /// What the folder holds.
  public let job: ReportedJob
  /// What was chosen.
  public let options: Options
  /// The archive that is shown; nil where there is none.
  public let archive: String?
  /// The network that is evaluated; nil where there is none.
  public let network: String?
  private let archiveStep: ReportedStep?
  private var missing = ReportPage.Missing()

  /// Finds archive and network.
  /// - Throws: a `Failure` where one that was named is not there.
  public init(_ job: ReportedJob, _ options: Options) throws {
    self.job = job
    self.options = options
    for path in [options.samples, options.network].compactMap({ $0 }) where access(path, F_OK) != 0 {
      throw Failure(.noInput, path, "no such file")
    }
    let made = job.steps("sample").last { $0.outputSHA256 != nil }
    archive = options.samples ?? made.map { job.path($0.output) }
    archiveStep = options.samples == nil ? made : try Self.step(of: options.samples, in: job)
    guard let archive else {
      missing.archive = "the job has no archive of samples"
      network = nil
      return
    }
    if options.interpolations == 0 {
      network = nil
      missing.strips = "none were asked for (--interpolations 0)"
    } else if let given = options.network {
      network = given
    } else {
      let wanted = archiveStep?.origin?.inputs["network"]
      network = wanted.flatMap { input in
        job.steps.first { $0.outputSHA256 == input.sha256 }.map { job.path($0.output) }
      }
      if network == nil {
        missing.strips =
          "the folder does not hold \(wanted?.path ?? "the network"), which \((archive as NSString).lastPathComponent) was made from (--network names it)"
      }
    }
  }

  /// The step that made an archive that was named.
  private static func step(of archive: String?, in job: ReportedJob) throws -> ReportedStep? {
    guard let archive else { return nil }
    let digest = try SHA256.hexDigest(ofFile: archive)
    return job.steps("sample").first { $0.outputSHA256 == digest }
  }

  /// The digests of everything that the page depends on, by what it is.
  public func inputs() throws -> [(name: String, path: String, sha256: String)] {
    var inputs = job.steps.flatMap { step in
      [(step.name + ".json", step.name + ".json", step.summarySHA256)]
        + (step.outputSHA256.map { [(step.output, step.output, $0)] } ?? [])
    }
    if let digest = job.jobFileSHA256 { inputs.append(("job.yaml", "job.yaml", digest)) }
    if let archive {
      let digest = try archiveStep?.outputSHA256 ?? SHA256.hexDigest(ofFile: archive)
      inputs.append(("samples", archive, digest))
      let manifest = SampleManifest.path(of: archive)
      // Where it cannot be looked at now it may be there all the same.
      let isThere = access(manifest, F_OK) == 0
      guard isThere || errno == ENOENT else { throw Failure.system(manifest, "look at it") }
      if isThere { inputs.append(("manifest", manifest, try SHA256.hexDigest(ofFile: manifest))) }
    }
    if let network {
      let known = job.steps.first { job.path($0.output) == network }?.outputSHA256
      inputs.append(("network", network, try known ?? SHA256.hexDigest(ofFile: network)))
    }
    return inputs
  }

  /// Memory that comparing images takes, in bytes: the images, and blocks of them as numbers.
  /// - Throws: a `Failure` where the archive cannot be read.
  public func comparisonBytes() throws -> Int {
    guard let archive, options.duplicates > 0 else { return 0 }
    let reader = try SampleReader(archive)
    let bytes = min(ArchiveLook.comparedBytes, min(reader.count, options.duplicates) * reader.shape.count)
    return bytes + 3 * 4 * min(bytes, DuplicateCheck.blockRows * reader.shape.count) + (64 << 20)
  }

  /// Looks at the archive, makes the strips, and puts the page together.
  ///
  /// - Parameters:
  ///   - provenance: the page's provenance as text.
  ///   - createdBy: program and version.
  ///   - progressed: called on the way with the share that is done, 0 to 1; throwing ends the work.
  /// - Returns: the page, and the look at the archive.
  /// - Throws: a `Failure` where the archive cannot be read, or a network that was named cannot be used; what `progressed`
  ///   throws.
  public func page(provenance: String, createdBy: String, progressed: (Double) throws -> Void) throws -> (
    page: ReportPage, look: ArchiveLook?
  ) {
    var missing = missing
    var strips: [InterpolationStrip] = []
    let look = try archive.map { archive in
      try ArchiveLook(archive, sheetImages: options.sheetImages, duplicates: options.duplicates) {
        try progressed(0.6 * $0)
      }
    }
    if let look, let network {
      do {
        strips = try InterpolationStrip.between(
          look, network: network, strips: options.interpolations, frames: options.frames
        ) { try progressed(0.6 + 0.4 * Double($0) / Double(options.interpolations)) }
        if strips.isEmpty { missing.strips = "the archive has not two images of one class among those that are shown" }
      } catch let failure as Failure where options.network == nil && failure.status != .temporaryFailure {
        // What was not asked for by name must not cost the rest of the page.
        missing.strips = "\((failure.subject as NSString).lastPathComponent): \(failure.problem)"
      }
    }
    let page = ReportPage(
      job: job, look: look, archiveStep: archiveStep, strips: strips, missing: missing, provenance: provenance,
      createdBy: createdBy)
    return (page, look)
  }
}
