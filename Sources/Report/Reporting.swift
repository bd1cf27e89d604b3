import Archives
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
    /// The data set that its network was trained on; nil for that of the folder that the files name.
    public var dataset: String?
    /// Images of the contact sheet.
    public var sheetImages = 120
    /// Strips of images between two seeds; 0 for none.
    public var interpolations = 6
    /// Images of a strip, both ends included.
    public var frames = 9
    /// The most images that are compared with each other, and with training pictures; 0 for none.
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
  /// The data set that the archive is compared with; nil where there is none.
  private let training: TrainingSet?
  private let archiveStep: ReportedStep?
  private var missing = ReportPage.Missing()

  /// Finds archive and network.
  /// - Throws: a `Failure` where one that was named is not there.
  public init(_ job: ReportedJob, _ options: Options) throws {
    self.job = job
    self.options = options
    for path in [options.samples, options.network, options.dataset].compactMap({ $0 }) where access(path, F_OK) != 0 {
      throw Failure(.noInput, path, "no such file")
    }
    let made = job.steps("sample").last { $0.outputSHA256 != nil }
    archive = options.samples ?? made.map { job.path($0.output) }
    archiveStep = options.samples == nil ? made : try Self.step(of: options.samples, in: job)
    guard let archive else {
      missing.archive = "the job has no archive of samples"
      (network, training) = (nil, nil)
      return
    }
    (training, missing.training) = try Self.trainingSet(options, of: archiveStep?.origin, in: job)
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
    for step in job.steps {
      if let digest = step.lossesSHA256 {
        inputs.append((LossLog.fileName(of: step.name), LossLog.fileName(of: step.name), digest))
      }
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
    if let training { inputs.append(("dataset", training.path, training.sha256)) }
    return inputs
  }

  /// Memory that comparing images takes, in bytes: the images, and blocks of them as numbers.
  /// - Throws: a `Failure` where the archive cannot be read.
  public func comparisonBytes() throws -> Int {
    guard let archive, options.duplicates > 0 else { return 0 }
    let reader = try SampleReader(archive)
    let bytes = min(ArchiveLook.comparedBytes, min(reader.count, options.duplicates) * reader.shape.count)
    let pairs = bytes + 3 * 4 * min(bytes, DuplicateCheck.blockRows * reader.shape.count)
    let pictures = try training.map { training in
      do {
        return try TrainingLook.memoryBytes(archive: reader, dataset: training.path, limit: options.duplicates)
      } catch let failure as Failure where options.dataset == nil && failure.status != .temporaryFailure {
        // The page says so.
        return 0
      }
    }
    return max(pairs, pictures ?? 0) + (64 << 20)
  }

  /// Looks at the archive, compares it with training pictures, makes the strips, and puts the page together.
  ///
  /// - Parameters:
  ///   - provenance: the page's provenance as text.
  ///   - createdBy: program and version.
  ///   - progressed: called on the way with the share that is done, 0 to 1; throwing ends the work.
  /// - Throws: a `Failure` where the archive cannot be read, or a network or data set that was named cannot be used; what
  ///   `progressed` throws.
  public func page(provenance: String, createdBy: String, progressed: (Double) throws -> Void) throws -> ReportPage {
    var missing = missing
    var strips: [InterpolationStrip] = []
    var pictures: TrainingLook?
    let look = try archive.map { archive in
      try ArchiveLook(archive, sheetImages: options.sheetImages, duplicates: options.duplicates) {
        try progressed(0.4 * $0)
      }
    }
    if let look, let training {
      missing.training = training.note
      try unlessOfTheFolder(training.path, isGiven: options.dataset != nil, &missing.training) {
        pictures = try TrainingLook(archive: look.path, dataset: training.path, limit: options.duplicates) {
          try progressed(0.4 + 0.3 * $0)
        }
      }
    }
    if let look, let network {
      try unlessOfTheFolder(network, isGiven: options.network != nil, &missing.strips) {
        strips = try InterpolationStrip.between(
          look, network: network, strips: options.interpolations, frames: options.frames
        ) { try progressed(0.7 + 0.3 * Double($0) / Double(options.interpolations)) }
      }
      if strips.isEmpty, missing.strips == nil {
        missing.strips = "the archive has not two images of one class among those that are shown"
      }
    }
    return ReportPage(
      job: job, look: look, archiveStep: archiveStep, strips: strips, training: pictures, courses: try courses(),
      missing: missing, provenance: provenance, createdBy: createdBy)
  }

  /// Does a part of the work. What is wrong with a file that was not asked for by name must not cost the rest of the page.
  private func unlessOfTheFolder(_ path: String, isGiven: Bool, _ missing: inout String?, _ work: () throws -> Void)
    throws
  {
    do {
      try work()
    } catch let failure as Failure where !isGiven && failure.status != .temporaryFailure {
      missing = "\((failure.subject as NSString).lastPathComponent): \(failure.problem)"
    }
  }

  /// The samples over time that the networks of the folder keep.
  private func courses() throws -> [String: ReportPage.ShownCourse] {
    var courses: [String: ReportPage.ShownCourse] = [:]
    let steps = job.steps.filter { ["train", "distill"].contains($0.stage) && $0.outputSHA256 != nil }
    for step in steps where step.content["curve"]?.arrayValue?.isEmpty == false {
      let path = job.path(step.output)
      do {
        guard courses.count < SampleCourse.mostShown else {
          courses[step.name] = .missing("those of \(SampleCourse.mostShown) trainings are shown")
          continue
        }
        courses[step.name] =
          try SampleCourse(path).map { .shown($0) }
          ?? .missing("\(step.output) holds none: a version that did not keep them made it")
      } catch let failure as Failure where BoundedFile.isFinding(failure, about: path) {
        courses[step.name] = .missing("\(step.output): \(failure.problem)")
      }
    }
    return courses
  }
}
