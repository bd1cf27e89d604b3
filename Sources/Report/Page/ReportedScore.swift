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
  /// How far it varies over sets of images, where it is the mean over them.
  let spread: FigureSpread?
  /// Its size and what it is: "standard error over 10 resamplings"; nil where there is a spread, which says the same.
  let uncertainty: (value: Double, kind: String)?
  let notes: [String]
  let convention: String?
  /// The digest of the feature network.
  let featureNetwork: String?

  /// The most figures of one step that are shown.
  static let mostFigures = 100

  /// All figures of the score steps of a job; the spread of one stands with it.
  static func all(_ job: ReportedJob) -> [ReportedScore] {
    job.steps("score").flatMap { step in
      let (figures, metrics) = (step.record.figures, step.content["metrics"])
      var spreads: [String: FigureSpread] = [:]
      for name in figures.keys { spreads[name] = FigureSpread(of: name, in: figures, metrics: metrics) }
      let parts = Set(spreads.keys.map { FigureSpread.name(of: $0) })
      return step.figures.filter { !parts.contains($0.name) }.prefix(mostFigures).compactMap { figure, value in
        value.realValue.map { ReportedScore(figure, $0, step, metrics?[figure], spreads[figure]) }
      }
    }
  }

  private init(
    _ figure: String, _ value: Double, _ step: ReportedStep, _ metric: JSONValue?, _ spread: FigureSpread?
  ) {
    self.figure = figure
    self.value = value
    self.step = step
    self.spread = spread
    definition = metric?["definition"]?.textValue ?? step.content["definition"]?.textValue
    images = metric?["images"]?.integerValue ?? step.content["images"]?.integerValue
    referenceImages = metric?["reference_images"]?.integerValue ?? step.content["reference_images"]?.integerValue
    let origin = metric?["uncertainty"]?.textValue ?? ""
    uncertainty =
      spread != nil
      ? nil
      : [("standard_error", "standard error"), ("standard_deviation", "standard deviation")].lazy
        .compactMap { key, kind in metric?[key]?.realValue.map { (value: $0, kind: "\(kind) \(origin)") } }.first
    notes = (metric?["notes"]?.arrayValue ?? []).compactMap(\.textValue)
    convention = step.content["input_convention"]?.textValue
    featureNetwork = step.content["feature_network"]?.textValue
  }

  /// The figure, its uncertainty, and what that is, as they are shown.
  var shown: (value: String, uncertainty: String?, kind: String?) {
    if let spread {
      let shown = spread.shown(value, number: Format.number)
      return (Format.signed(shown.figure), shown.spread, "(\(spread.sets))")
    }
    return (Format.number(value), uncertainty.map { Format.number($0.value) }, uncertainty?.kind)
  }

  /// On how many images it was measured.
  var measuredOn: String {
    guard let images else { return "an unknown number of images" }
    return (spread.map { "\($0.setCount) sets of " } ?? "") + Format.plural(images, "image")
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
