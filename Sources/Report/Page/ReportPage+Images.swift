import Foundation

/// What there is to see: sheets, strips and pairs.
extension ReportPage {
  var samples: Section? {
    guard let look else {
      return missing.archive.map { Section("samples", "Samples", Self.missingNote($0)) }
    }
    let shown = look.first.compactMap { image in image.picture?.element(alt: image.caption) }
    guard !shown.isEmpty else {
      return Section(
        "samples", "Samples", Self.missingNote("images of \(look.shape.channels) channels have no picture"))
    }
    return Section(
      "samples", "Samples",
      about:
        "The first \(Format.plural(shown.count, "image")) of \(fileName(look.path)), in the order of the archive: not chosen by their looks.",
      "<div class=\"sheet\">\(shown)</div>")
  }

  var classes: Section? {
    guard let look, !look.classes.isEmpty, look.first.first?.picture != nil else { return nil }
    let rows: [HTML] = look.classes.map { row in
      "<tr><th scope=\"row\">class \(row.label)</th><td><div class=\"strip\">\(row.images.compactMap { $0.picture?.element(alt: $0.caption) })</div></td></tr>"
    }
    let among =
      look.labelsRead == look.count ? "the archive" : "the first \(Format.count(look.labelsRead)) images of the archive"
    let all = look.classes.count == look.classCount
    let which = all ? "all \(look.classCount) classes" : "\(look.classes.count) of the \(look.classCount) classes"
    return Section(
      "classes", "By class", about: "The first images of \(which) in \(among).",
      "<table><caption>One class a row, up to \(ArchiveLook.imagesOfAClass) images of each</caption><tbody>\(rows)</tbody></table>"
    )
  }

  var between: Section? {
    if strips.isEmpty {
      return look == nil ? nil : missing.strips.map { Section("between", "Between two seeds", Self.missingNote($0)) }
    }
    let figures: [HTML] = strips.map { strip in
      let ends = "seed \(strip.interpolation.first) to seed \(strip.interpolation.last)"
      let of = strip.interpolation.classIndex.map { ", class \($0)" } ?? ""
      let pictures: [HTML] = strip.pictures.enumerated().map { number, picture in
        picture.element(alt: "\(ends)\(of), \(number) of \(strip.pictures.count - 1) steps along")
      }
      return "<figure><div class=\"strip\">\(pictures)</div><figcaption>\(ends)\(of)</figcaption></figure>"
    }
    return Section(
      "between", "Between two seeds",
      about:
        "The latents move on a great circle from one seed to the other; the class stays. The ends are images of the archive. A network that had learned images by heart would jump.",
      "<div class=\"strips\">\(figures)</div>")
  }

  var pairs: Section? {
    guard let look, let check = look.duplicates, let choice = look.choice else { return nil }
    var content: [HTML] = [summary(check, choice)]
    content += groups(check, choice, look)
    let figures: [HTML] = check.pairs.compactMap { pair in
      guard let a = look.compared[choice.place(pair.first)], let b = look.compared[choice.place(pair.second)],
        let first = a.picture, let second = b.picture
      else { return nil }
      return """
        <figure><div class="two">\(first.element(alt: a.caption))\(second.element(alt: b.caption))</div>
        <figcaption><strong>\(Format.number(check.distance(pair)))</strong> levels<br>\(a.caption)<br>\(b.caption)</figcaption></figure>
        """
    }
    if !figures.isEmpty {
      content.append("<h3>The nearest pairs of different images</h3><div class=\"pairs\">\(figures)</div>")
    }
    return Section(
      "pairs", "Nearest pairs",
      about: "Distance: \(DuplicateCheck.definition). Every pair of the images named here is compared.", HTML(content))
  }

  private func summary(_ check: DuplicateCheck, _ choice: ImageChoice) -> HTML {
    let nearest = check.pairs.first.map { Format.number(check.distance($0)) + " levels" } ?? "none"
    let median = check.medianNearest.map { Format.number($0) + " levels" } ?? "none"
    return """
      <dl class="facts">
      <dt>compared</dt><dd>\(choice.sentence)</dd>
      <dt>equal</dt><dd>\(check.duplicateCount == 0 ? "no image is equal to another" : "\(Format.plural(check.duplicateCount, "image")) equal to an earlier one, byte for byte")</dd>
      <dt>nearest pair</dt><dd>\(nearest)</dd>
      <dt>typical</dt><dd>half of the images have their nearest neighbour within \(median)</dd>
      </dl>
      """
  }

  private func groups(_ check: DuplicateCheck, _ choice: ImageChoice, _ look: ArchiveLook) -> [HTML] {
    guard !check.groups.isEmpty else { return [] }
    let figures: [HTML] = check.groups.prefix(ArchiveLook.mostGroups).compactMap { group in
      guard let first = look.compared[choice.place(group[0])], let picture = first.picture else { return nil }
      let seeds = group.prefix(5).compactMap { look.compared[choice.place($0)].map { "\($0.seed)" } }
      let more = group.count > seeds.count ? " and \(group.count - seeds.count) more" : ""
      return """
        <figure>\(picture.element(alt: first.caption))
        <figcaption><strong>\(group.count)</strong> times<br>seeds \(seeds.joined(separator: ", "))\(more)</figcaption></figure>
        """
    }
    let left = check.groups.count - figures.count
    return [
      "<h3>Equal images</h3><div class=\"pairs\">\(figures)</div>",
      left > 0 ? "<p class=\"note\">and \(Format.plural(left, "further group")) of equal images</p>" : "",
    ]
  }

  static func missingNote(_ reason: String) -> HTML { "<p class=\"missing\">Not shown: \(reason).</p>" }

  private func fileName(_ path: String) -> String { (path as NSString).lastPathComponent }

  /// By which the style sheet chooses how large images are shown, and whether their pixels stay apart.
  var sizeClass: String {
    let courses = courses.values.compactMap { if case .shown(let course) = $0 { course.shape } else { nil } }
    let shapes = look.map { [$0.shape] } ?? courses
    let side = shapes.map { max($0.width, $0.height) }.max() ?? 0
    return side <= 16 ? "tiny" : side <= 48 ? "medium" : "large"
  }
}
