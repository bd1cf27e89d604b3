import Foundation

/// Whether the network repeats what it was trained on.
extension ReportPage {
  var trainingPictures: Section? {
    let title = "Nearest training pictures"
    guard let training else {
      return missing.training.map { Section("memorising", title, Self.missingNote($0)) }
    }
    let check = training.check
    let figures: [HTML] = training.pairs.map { pair in
      """
      <figure><div class="two">\(pair.sample.picture?.element(alt: pair.sample.caption))\(pair.picture.element(alt: pair.caption))</div>
      <figcaption><strong>\(Format.number(pair.distance))</strong> levels\(pair.isCopy ? ", a copy" : "")<br>\(pair.sample.caption)<br>\(pair.caption)</figcaption></figure>
      """
    }
    let name = (training.path as NSString).lastPathComponent
    let pairs: HTML? =
      figures.isEmpty
      ? nil
      : "<h3>The samples nearest to a training picture, which stands beside them</h3><div class=\"pairs\">\(figures)</div>"
    return Section(
      "memorising", title,
      about: "Distance: \(DuplicateCheck.definition). Training pictures count mirrored, too. \(check.definition)",
      """
      <p class="verdict">\(check.sentence)</p>\(missing.training.map { "<p class=\"missing\">\($0)</p>" as HTML })
      <dl class="facts">
      <dt>samples</dt><dd>\(training.samples.sentence)</dd>
      <dt>pictures</dt><dd>\(training.pictures.sentence(of: "the data set")), \(name)</dd>
      <dt>typical</dt><dd>half of the samples are within \(levels(check.medianDistance)) of a training picture; half of \(Format.plural(check.questionedCount, "training picture")) are within \(levels(check.medianAmong)) of another one</dd>
      </dl>
      \(pairs)
      """)
  }

  private func levels(_ value: Double?) -> String { value.map { Format.number($0) + " levels" } ?? "no distance" }
}
