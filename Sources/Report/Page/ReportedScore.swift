import Files
import Records

/// One figure of a score step, with all that says what it means.
struct ReportedScore: Sendable {
  let figure: String
  let value: Double
  let step: ReportedStep
  let definition: String?
  let images: Int?
  let referenceImages: Int?
  /// Its size and what it is: "standard error over 10 resamplings".
  let uncertainty: (value: Double, kind: String)?
  let notes: [String]
  let convention: String?
  /// The digest of the feature network.
  let featureNetwork: String?

  /// The most figures of one step that are shown.
  static let mostFigures = 100

  /// All figures of the score steps of a job.
  static func all(_ job: ReportedJob) -> [ReportedScore] {
    job.steps("score").flatMap { step in
      let metrics = step.content["metrics"]?.objectValue ?? [:]
      return step.figures.prefix(mostFigures).compactMap { figure, value in
        value.realValue.map { ReportedScore(figure, $0, step, metrics[figure]) }
      }
    }
  }

  private init(_ figure: String, _ value: Double, _ step: ReportedStep, _ metric: JSONValue?) {
    self.figure = figure
    self.value = value
    self.step = step
    definition = metric?["definition"]?.textValue ?? step.content["definition"]?.textValue
    images = metric?["images"]?.integerValue ?? step.content["images"]?.integerValue
    referenceImages = metric?["reference_images"]?.integerValue ?? step.content["reference_images"]?.integerValue
    let origin = metric?["uncertainty"]?.textValue ?? ""
    uncertainty =
      [("standard_error", "standard error"), ("standard_deviation", "standard deviation")].lazy
      .compactMap { key, kind in metric?[key]?.realValue.map { (value: $0, kind: "\(kind) \(origin)") } }.first
    notes = (metric?["notes"]?.arrayValue ?? []).compactMap(\.textValue)
    convention = step.content["input_convention"]?.textValue
    featureNetwork = step.content["feature_network"]?.textValue
  }

  /// What was scored, as the step names it.
  var samples: String? { step.content["inputs"]?["samples"]?["path"]?.textValue }
  /// The digest of what was scored.
  var samplesSHA256: String? { step.content["inputs"]?["samples"]?["sha256"]?.textValue }
  /// The reference, as the step names it.
  var reference: String? { step.content["inputs"]?["reference"]?["path"]?.textValue }
  /// The digest of the reference.
  var referenceSHA256: String? { step.content["inputs"]?["reference"]?["sha256"]?.textValue }

  /// Scores of one measure: those that can be compared.
  struct Measure: Sendable {
    var scores: [ReportedScore]
  }

  /// Scores by what they measure: definition, feature network, input convention and reference, in the order in which the
  /// job first comes to them.
  static func measures(_ scores: [ReportedScore]) -> [Measure] {
    var places: [[String?]: Int] = [:]
    var measures: [Measure] = []
    for score in scores {
      let key = [score.definition ?? score.figure, score.featureNetwork, score.convention, score.referenceSHA256]
      if let place = places[key] {
        measures[place].scores.append(score)
      } else {
        places[key] = measures.count
        measures.append(Measure(scores: [score]))
      }
    }
    return measures
  }
}
