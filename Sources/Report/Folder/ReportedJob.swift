import Diagnostics
import Files
import Foundation
import HDF5
import JobFolder
import Records
import Sampling

/// What the folder of a job holds: one of the spool's, or one that was filled by hand.
public struct ReportedJob: Sendable {
  /// The folder.
  public let folder: String
  /// The job's name; the folder's where nothing says it.
  public let name: String
  /// The job's ID in the spool.
  public let id: String?
  /// When the spool accepted it.
  let accepted: Date?
  /// The job file as it was submitted.
  let jobFile: String?
  /// The digest of the job file.
  let jobFileSHA256: String?
  /// The finished steps in the order of the job.
  public let steps: [ReportedStep]
  /// What cannot be read, or is not there and should be.
  public let problems: [String]

  static let largestSummaryBytes = 4 << 20
  static let largestJobFileBytes = 64 << 10
  static let largestLogBytes = 1 << 20
  static let mostSteps = 200
  static let mostSummaryBytes = 512 << 20

  /// Reads a folder: `NAME.json` of every step, `job.yaml`, `status.json`, the headings of `log/`, and what the outputs say
  /// of themselves.
  ///
  /// A step that is not there or is damaged is a problem of the page, not an error.
  /// - Parameters:
  ///   - folder: the job's folder.
  ///   - progressed: called before each step is read, with how many are done and how many there are.
  /// - Throws: a `Failure` where the folder or a file of it cannot be read now, or what `progressed` throws.
  public init(_ folder: String, progressed: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }) throws {
    self.folder = folder
    let (names, problem) = try Self.names(folder)
    var problems = [problem].compactMap { $0 }
    let status = try Self.value(folder + "/" + JobFolderNames.status, &problems)
    let jobFile = try Self.content(
      folder + "/" + JobFolderNames.jobFile, limitBytes: Self.largestJobFileBytes, &problems)
    self.jobFile = jobFile.map { String(decoding: $0, as: UTF8.self) }
    jobFileSHA256 = try jobFile.map { try SHA256.hexDigest(of: $0) }
    name = status?["job"]?.textValue ?? Self.jobName(self.jobFile) ?? Self.lastComponent(of: folder)
    id = status?["id"]?.textValue
    accepted = status?["accepted"]?.textValue.flatMap { StatusJSON.date($0) }
    let order = (status?["steps"]?.arrayValue ?? []).prefix(Self.mostSteps).compactMap(\.textValue)
    var candidates = names.filter { Self.isSummary($0) }.sorted()
    if candidates.count > Self.mostSteps {
      problems.append("of \(candidates.count) JSON files only \(Self.mostSteps) are read")
      candidates = Array(candidates.prefix(Self.mostSteps))
    }
    var steps: [ReportedStep] = []
    var bytes = 0
    for (number, file) in candidates.enumerated() {
      try progressed(number, candidates.count)
      bytes += try BoundedFile.facts(folder + "/" + file)?.sizeBytes ?? 0
      if bytes > Self.mostSummaryBytes {
        problems.append("\(file) and what follows it: more than \(Self.mostSummaryBytes >> 20) MiB of JSON")
        break
      }
      if let step = try Self.step(file, in: folder, &problems) { steps.append(step) }
    }
    let finished = Set(steps.map(\.name))
    let current = status?["step"]?.textValue
    let pending = order.filter { !finished.contains($0) && $0 != current }
    if !pending.isEmpty { problems.append("steps without an output: " + pending.joined(separator: ", ")) }
    self.steps = Self.sorted(steps, order)
    self.problems = problems + steps.flatMap(\.problems)
  }

  /// The steps of a kind, in the order of the job.
  func steps(_ stage: String) -> [ReportedStep] { steps.filter { $0.stage == stage } }

  /// The path of a file of the folder.
  func path(_ name: String) -> String { folder + "/" + name }

  // MARK: Reading

  /// The names in the folder that are text, and what is to be said of JSON files with others, which no stage makes.
  private static func names(_ folder: String) throws -> ([String], problem: String?) {
    let all: [ByteName]
    do {
      all = try ByteName.names(inFolder: folder).sorted()
    } catch {
      throw Failure(.noInput, folder, "not a folder that can be read", remedy: "give the folder of a job")
    }
    let passedOver = all.filter { $0.text == nil && $0.pathExtension == "json" }.map(\.description)
    guard let first = passedOver.first else { return (all.compactMap(\.text), nil) }
    let more = passedOver.count > 1 ? " and \(passedOver.count - 1) more are" : " is"
    return (all.compactMap(\.text), "\(first)\(more) not read: the name is not UTF-8")
  }

  /// Whether a file of this name may be what a step publishes beside its output.
  private static func isSummary(_ name: String) -> Bool {
    name.hasSuffix(".json") && !name.hasPrefix(".") && !name.hasSuffix(".manifest.json")
      && ![JobFolderNames.status, JobFolderNames.summary].contains(name)
  }

  /// What a file holds; nil where there is none, or what it is makes it a problem of the page.
  private static func content(_ path: String, limitBytes: Int, _ problems: inout [String]) throws -> Data? {
    do {
      return try BoundedFile.read(path, limitBytes: limitBytes)
    } catch let failure as Failure where BoundedFile.isFinding(failure, about: path) {
      if failure.status != .noInput { problems.append("\(lastComponent(of: path)): \(failure.problem)") }
      return nil
    }
  }

  private static func value(_ path: String, _ problems: inout [String]) throws -> JSONValue? {
    guard let data = try content(path, limitBytes: largestSummaryBytes, &problems) else { return nil }
    if let value = JSONValue(json: Array(data)) { return value }
    problems.append("\(lastComponent(of: path)) is no JSON")
    return nil
  }

  /// Reads one step; nil for JSON of something else, and for reports.
  private static func step(_ file: String, in folder: String, _ problems: inout [String]) throws -> ReportedStep? {
    let path = folder + "/" + file
    guard let data = try content(path, limitBytes: StepRecord.largestBytes, &problems) else { return nil }
    guard let record = StepRecord(json: Array(data), keepsFiles: false) else {
      problems.append("\(file) is no JSON object of a step")
      return nil
    }
    let name = String(file.dropLast(".json".count))
    let (stage, output) = (record.stage, record.output)
    guard !stage.isEmpty, stage != "report", !output.isEmpty else { return nil }
    guard output.hasPrefix(name + "."), !output.contains("/"), !output.contains("\0") else {
      problems.append("\(file) names the output \"\(output.prefix(100))\", which is not beside it")
      return nil
    }
    let outputPath = folder + "/" + output
    var stepProblems: [String] = []
    let published = try BoundedFile.facts(outputPath)?.modified
    var about = OutputFacts()
    if published == nil {
      stepProblems.append("\(output), the output of the step \(name), is not there")
    } else {
      about = try OutputFacts(outputPath)
      if let problem = about.problem { stepProblems.append("\(output): \(problem)") }
    }
    let log = try Self.log("\(folder)/\(JobFolderNames.log(of: name))")
    let (losses, lossesSHA256) = stage == "train" ? try Self.losses(of: name, in: folder, &stepProblems) : (nil, nil)
    return ReportedStep(
      name: name, stage: stage, output: output, record: record, summarySHA256: try SHA256.hexDigest(of: data),
      outputSHA256: about.sha256, outputBytes: about.bytes, createdBy: about.createdBy,
      origin: about.origin ?? record.provenance.flatMap { Provenance(json: $0) },
      losses: losses, lossesSHA256: lossesSHA256,
      timing: StepTiming(log: log.map { String(decoding: $0, as: UTF8.self) }, published: published),
      problems: stepProblems)
  }

  /// The losses that a training has logged beside its network, and the digest of that log; nil where there is none.
  private static func losses(of name: String, in folder: String, _ problems: inout [String]) throws -> (
    LossLog?, String?
  ) {
    let path = LossLog.path(of: name, in: folder)
    guard let data = try content(path, limitBytes: LossLog.largestBytes, &problems) else { return (nil, nil) }
    let losses = LossLog(Array(data))
    problems += losses.problems.map { "\(lastComponent(of: path)): \($0)" }
    return (losses, try SHA256.hexDigest(of: data))
  }

  /// The beginning of a step's log; nil where there is none.
  private static func log(_ path: String) throws -> Data? {
    do {
      return try BoundedFile.head(path, limitBytes: largestLogBytes).data
    } catch let failure as Failure where BoundedFile.isFinding(failure, about: path) {
      return nil
    }
  }

  /// By the order of the job where it is known, else by the time of the output.
  private static func sorted(_ steps: [ReportedStep], _ order: [String]) -> [ReportedStep] {
    let places = Dictionary(order.enumerated().map { ($1, $0) }) { first, _ in first }
    return steps.sorted { a, b in
      let (i, j) = (places[a.name] ?? .max, places[b.name] ?? .max)
      if i != j { return i < j }
      let (s, t) = (a.timing.published ?? .distantPast, b.timing.published ?? .distantPast)
      return s != t ? s < t : a.name < b.name
    }
  }

  private static func lastComponent(of path: String) -> String {
    let name = (((path as NSString).standardizingPath) as NSString).lastPathComponent
    guard name == "." || name == ".." || name.isEmpty, let real = realpath(path, nil) else { return name }
    defer { free(real) }
    return (String(cString: real) as NSString).lastPathComponent
  }

  /// The value of a line `job: NAME`.
  private static func jobName(_ text: String?) -> String? {
    for line in (text ?? "").split(separator: "\n") where line.hasPrefix("job:") {
      let value = line.dropFirst("job:".count).prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
      return value.isEmpty ? nil : value.trimmingCharacters(in: CharacterSet(charactersIn: "\"'"))
    }
    return nil
  }
}

/// What an output file says of itself.
struct OutputFacts {
  var sha256: String?
  var bytes: Int?
  var createdBy: String?
  var origin: Provenance?

  /// Why it says nothing.
  var problem: String?

  private static let longestAttribute = 1 << 18

  /// Nothing is known.
  init() {}

  /// - Throws: a `Failure` where the file cannot be read at all.
  init(_ path: String) throws {
    sha256 = try SHA256.hexDigest(ofFile: path)
    bytes = try BoundedFile.facts(path)?.sizeBytes
    guard path.hasSuffix(".h5") else { return }
    do {
      let root = try HDF5File.open(path).root
      createdBy = Self.text("created_by", of: root)
      origin = Self.text("provenance", of: root).flatMap { Provenance(json: $0) }
    } catch let failure as Failure where BoundedFile.isFinding(failure, about: path) {
      problem = failure.problem
    }
  }

  private static func text(_ name: String, of root: HDF5Group) -> String? {
    guard root.hasAttribute(name), let text = try? root.stringAttribute(name) else { return nil }
    return text.utf8.count <= longestAttribute ? text : nil
  }
}
