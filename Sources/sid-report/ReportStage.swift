import Compute
import Diagnostics
import Files
import Foundation
import Models
import Records
import Report
import Stage

/// One run of `sid-report`, from its options to its files.
struct ReportStage {
  let command: SidReport
  let context: StageContext

  private var output: String { command.output }
  private var recorder: StepRecorder { StepRecorder(output: output, stage: "report") }

  func run() throws {
    Threads.use(context.threads)
    try AtomicFile.requireFolder(of: output)
    let job = try ReportedJob(command.job) { _, _ in try StopRequest.check(output) }
    let reporting = try Reporting(job, command.content.options)
    if context.options.dryRun { return try estimate(reporting).print() }
    let provenance = try provenance(reporting)
    try command.expected.check(provenance)
    let state = try FinishedOutput.check(output, wanted: provenance, overwrite: context.options.overwrite) {
      try ExistingPage.provenance($0)
    }
    if state == .same, try isRecorded(provenance) {
      return context.note("\(output): made from the same files and options already; nothing to do")
    }
    try Machine.requireMemory(
      try peakMemoryBytes(reporting), for: command.job, remedy: "choose fewer --duplicates or --interpolations 0")
    try recorder.begin(overwrite: context.options.overwrite)
    let progress = context.progress("report", total: 100, unit: "percent")
    let page = try reporting.page(provenance: provenance.json, createdBy: Version.line(context.program)) {
      try StopRequest.check(output)
      progress.update(done: Int(100 * $0))
    }
    progress.finish()
    for problem in job.problems { context.note("\(command.job): \(problem)") }
    try publish(page, provenance.json)
  }

  /// Whether the record of a finished page is there, or could be completed without making the page anew.
  private func isRecorded(_ provenance: Provenance) throws -> Bool {
    if try recorder.isFinished(wanted: provenance, promising: [output]) { return true }
    guard let existing = try ExistingPage.provenance(output), try recorder.kept(provenance: existing) != nil else {
      return false
    }
    try recorder.publish(provenance: existing, files: [output])
    return true
  }

  private func publish(_ page: ReportPage, _ provenance: String) throws {
    var figures = page.figures
    figures["report"] = .string((output as NSString).lastPathComponent)
    try recorder.keep(figures: figures, details: page.details, provenance: provenance)
    try AtomicFile.publish(output, data: Data(page.html.utf8))
    try recorder.publish(provenance: provenance, files: [output])
  }

  private func provenance(_ reporting: Reporting) throws -> Provenance {
    let content = command.content
    var inputs: [String: Provenance.Input] = [:]
    for input in try reporting.inputs() { inputs[input.name] = try Provenance.Input(input.path, sha256: input.sha256) }
    return Provenance(
      program: context.program, inputs: inputs,
      options: [
        "sheet-images": "\(content.sheetImages)", "interpolations": "\(content.interpolations)",
        "frames": "\(content.frames)", "duplicates": "\(content.duplicates)",
      ], kernels: KernelSet.name)
  }

  private func peakMemoryBytes(_ reporting: Reporting) throws -> Int {
    let compared = Double(try reporting.comparisonBytes())
    let size = try reporting.network.map {
      (try FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int) ?? 0
    }
    return byteCount(Double(NetworkCost.processBytes) + compared + 5 * Double(size ?? 0))
  }

  private func estimate(_ reporting: Reporting) throws -> Estimate {
    let archive = reporting.archive.map { ($0 as NSString).lastPathComponent } ?? "no archive"
    return Estimate(
      work: "a page of \(reporting.job.steps.count) steps and \(archive)", flops: 0,
      peakMemoryBytes: try peakMemoryBytes(reporting), diskBytes: 8 << 20)
  }
}
