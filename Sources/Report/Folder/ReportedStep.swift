import Files
import Foundation
import JobFolder
import Records
import Sampling

/// One finished step of a job, as its files tell it.
public struct ReportedStep: Sendable {
  /// The step's name: the output without its extension.
  public let name: String
  /// The kind of step: "distill".
  public let stage: String
  /// The output's file name.
  public let output: String
  /// Its record, `NAME.json`, without the list of files.
  let record: StepRecord
  /// The digest of `NAME.json`.
  let summarySHA256: String
  /// The digest of the output; nil where it is not there.
  let outputSHA256: String?
  /// The output's size.
  let outputBytes: Int?
  /// Program and version that wrote the output.
  let createdBy: String?
  /// What the output was made from.
  let origin: Provenance?
  /// The losses of a teacher's training, and the digest of the log that tells them; nil where there is none.
  let losses: LossLog?
  let lossesSHA256: String?
  /// What the log and the files say about the time.
  let timing: StepTiming
  /// What of it cannot be read.
  let problems: [String]

  /// What the record tells besides its figures.
  var content: [String: JSONValue] { record.details }

  /// The figures that the step published, by name.
  var figures: [(name: String, value: JSONValue)] {
    record.figures.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}

/// When a step was at work.
struct StepTiming: Sendable, Equatable {
  /// When its first attempt started, as the log says.
  var started: Date?
  /// How often it was started, as the log says.
  var attempts = 0
  /// When its output was published.
  var published: Date?

  /// From the first start to the output, pauses between attempts included; nil where either is not known.
  var seconds: Double? {
    guard let started, let published, published >= started else { return nil }
    return published.timeIntervalSince(started)
  }

  /// Reads the headings of a daemon's log.
  init(log: String?, published: Date?) {
    self.published = published
    let headings = StepLogHeading.all(in: log ?? "")
    (started, attempts) = (headings.first?.date, headings.count)
    // Headings have whole seconds.
    if let started, let published, published < started, started.timeIntervalSince(published) < 1 {
      self.published = started
    }
  }
}
