import Files
import Foundation

/// What was measured: the scores.
extension ReportPage {
  var scores: Section? {
    let all = ReportedScore.all(job)
    guard !all.isEmpty else {
      return Section("scores", "Scores", Self.missingNote("the job has no scores"))
    }
    return Section(
      "scores", "Scores",
      about:
        "Figures of one table compare with each other. With published ones they do over the same network, input convention, number of images and reference.",
      HTML(ReportedScore.measures(all).map { table($0) }))
  }

  private func table(_ measure: ReportedScore.Measure) -> HTML {
    let scores = measure.scores
    let scale = DotScale(scores.map(\.value))
    let rows: [HTML] = scores.map { score in
      let shown = score.shown
      let spread: HTML? = shown.uncertainty.map { " <span class=\"small\">± \($0) \(shown.kind ?? "")</span>" }
      let reference = score.referenceImages.map { " against \(Format.count($0))" } ?? ""
      return """
        <tr\(isShown(score) ? " class=\"main\"" : "" as HTML)><th scope="row">\(score.figure)<br><span class="small">\(score.samples ?? score.step.name)</span></th>
        <td class="number"><span class="value">\(shown.value)</span>\(spread)</td>
        \(scale.map { "<td class=\"full\"><span class=\"track\"><span class=\"dot\" style=\"left:\($0.percent(score.value))%\"></span></span></td>" as HTML })
        <td class="full small">\(score.measuredOn)\(reference)</td></tr>
        """
    }
    let first = scores[0]
    return """
      <div>
      <table class="stack"><caption>\(sentence(first.definition ?? first.figure))</caption>
      <thead><tr><th scope="col">Score</th><th scope="col" class="number">Value</th>\(scale.map { "<th scope=\"col\">\($0.isLogarithmic ? "on a logarithmic scale" : "on a scale")</th>" as HTML })<th scope="col">Measured on</th></tr></thead>
      <tbody>\(rows)</tbody></table>
      <p class="small">\(circumstances(first)) \(notes(scores))</p>
      </div>
      """
  }

  /// Network, convention and reference of a measure.
  private func circumstances(_ score: ReportedScore) -> HTML {
    var parts: [HTML] = []
    if let digest = score.featureNetwork {
      parts.append("Features of the network <code>\(digest.prefix(12) + "…")</code>")
      if let convention = score.convention { parts.append(", input convention <strong>\(convention)</strong>") }
      parts.append(". ")
    }
    if let reference = score.reference {
      parts.append(
        "Reference: \(reference)\(score.referenceSHA256.map { " (<code>\($0.prefix(12) + "…")</code>)" as HTML }).")
    }
    return HTML(parts)
  }

  private func notes(_ scores: [ReportedScore]) -> HTML {
    var seen: Set<String> = []
    let notes = scores.flatMap(\.notes).filter { seen.insert($0).inserted }.prefix(20)
    return HTML(notes.map { "Note: \($0). " })
  }

  private func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}

/// Where the values of one measure stand beside each other.
struct DotScale {
  let isLogarithmic: Bool
  private let low: Double
  private let high: Double

  /// Nil where there are not two values to compare.
  init?(_ values: [Double]) {
    let finite = values.filter(\.isFinite)
    guard finite.count >= 2, let least = finite.min(), let most = finite.max(), most > least else { return nil }
    isLogarithmic = least > 0 && most / least > 4
    (low, high) = isLogarithmic ? (log(least), log(most)) : (least, most)
  }

  /// From 4 at the smallest value to 96 at the largest.
  func percent(_ value: Double) -> String {
    let place = ((isLogarithmic ? log(value) : value) - low) / (high - low)
    return String(format: "%.1f", place.isFinite ? 4 + 92 * max(0, min(1, place)) : 4)
  }
}
