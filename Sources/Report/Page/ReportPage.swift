import Files
import Foundation

/// The page: one self-contained HTML file without scripts and without anything from elsewhere.
public struct ReportPage: Sendable {
  let job: ReportedJob
  /// The archive that is shown; nil where the job has none.
  let look: ArchiveLook?
  /// The step that made the archive.
  let archiveStep: ReportedStep?
  let strips: [InterpolationStrip]
  /// The archive beside the training pictures of its network; nil where there are none to compare with.
  let training: TrainingLook?
  /// Samples over time of the steps that train, by their names; none where nothing was measured.
  let courses: [String: ShownCourse]
  /// What is not shown, and why: by section.
  let missing: Missing
  /// What the page was made from.
  let provenance: String
  /// Program and version that made it.
  let createdBy: String

  /// Why parts of the page are not there.
  public struct Missing: Sendable {
    /// Why no archive is shown.
    public var archive: String?
    /// Why no strips between seeds are shown.
    public var strips: String?
    /// Why no training pictures are shown, or what is to be said of those that are.
    public var training: String?
    /// No part is missing.
    public init() {}
  }

  /// Samples over time, or why they are not shown.
  enum ShownCourse: Sendable {
    case shown(SampleCourse)
    case missing(String)
  }

  /// The name of the `meta` element that holds the page's provenance.
  static let provenanceName = "sid-provenance"

  /// The page as a file's content.
  public var html: String {
    let sections = [
      samples, classes, between, pairs, trainingPictures, teachers, distillations, scores, timings, files, jobFile,
    ].compactMap { $0 }
    let page: HTML = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="\(Self.provenanceName)" content="\(HTML(whole: provenance))">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="referrer" content="no-referrer">
      <meta name="generator" content="\(createdBy)">
      <link rel="icon" href="data:,">
      <title>\(job.name): report</title>
      <style>
      \(Stylesheet.text)
      </style>
      </head>
      <body>
      \(header(sections))
      <main class="\(sizeClass)">
      \(sections.map(\.html))
      </main>
      \(footer)
      </body>
      </html>

      """
    return page.source
  }

  /// A section: its anchor, its heading, what it is about, and its content.
  struct Section {
    let id: String
    let title: String
    let html: HTML

    init(_ id: String, _ title: String, about: HTML? = nil, _ content: HTML) {
      (self.id, self.title) = (id, title)
      html = """
        <section id="\(id)" aria-labelledby="\(id)-title">
        <div class="about"><h2 id="\(id)-title">\(title)</h2>\(about.map { "<p>\($0)</p>" as HTML })</div>
        <div class="body in-\(id)">
        \(content)
        </div>
        </section>

        """
    }
  }

  // MARK: Header and footer

  private func header(_ sections: [Section]) -> HTML {
    """
    <header>
    <p class="eyebrow">Score identity Distillation</p>
    <h1>\(job.name)</h1>
    <p class="lead">\(lead)</p>
    \(headlines)
    \(problems)
    <nav aria-label="Sections">\(sections.map { "<a href=\"#\($0.id)\">\($0.title)</a> " as HTML })</nav>
    </header>
    """
  }

  /// What the job did, in a sentence or two.
  private var lead: HTML {
    var parts: [HTML] = []
    if let look {
      let evaluations = archiveStep?.content["evaluations_per_image"]?.integerValue
      let each = evaluations.map {
        $0 == 1 ? ", one network evaluation each" : ", \(Format.count($0)) network evaluations each"
      }
      let network = look.origin?.inputs["network"]?.path ?? archiveStep?.content["network"]?.textValue
      parts.append(
        "<strong>\(Format.plural(look.count, "image"))</strong> of \(look.shape.width)×\(look.shape.height) pixels\(each ?? "")"
      )
      if let network { parts.append(", by <strong>\(network)</strong>") }
      parts.append(".")
    } else {
      parts.append("A job without an archive of samples.")
    }
    parts += job.steps("train").map { training($0) }
    parts += job.steps("distill").map { distillation($0) }
    return HTML(parts)
  }

  /// On what a teacher was trained.
  private func training(_ step: ReportedStep) -> HTML {
    var parts: [HTML] = [" "]
    let pictures = step.content["dataset"]?["images"]?.integerValue.map { Format.plural($0, "picture") }
    parts.append("<strong>\(step.name)</strong> was trained on \(pictures ?? "pictures")")
    if let dataset = step.origin?.inputs["dataset"] { parts.append(" of <strong>\(dataset.path)</strong>") }
    if let kimg = step.record.figures["trained_kimg"]?.realValue {
      parts.append(", over \(Format.number(kimg)) thousand images")
    }
    if let start = step.origin?.inputs["transfer"] { parts.append(", beginning with <strong>\(start.path)</strong>") }
    return HTML(parts + ["."])
  }

  /// From what a generator was distilled, and with what.
  private func distillation(_ step: ReportedStep) -> HTML {
    let kimg = step.record.figures["distilled_kimg"]?.realValue
    func input(_ name: String) -> HTML? { step.origin?.inputs[name].map { "<strong>\($0.path)</strong>" } }
    var parts: [HTML] = [" "]
    // What stands before is about the network of the archive.
    let isOther = look?.origin?.inputs["network"].map { $0.sha256 != step.outputSHA256 } ?? false
    let isNamed = isOther || job.steps("distill").count > 1
    parts.append(isNamed ? "<strong>\(step.name)</strong> was distilled" : "Distilled")
    if let teacher = input("teacher") { parts.append(" from \(teacher)") }
    if let kimg { parts.append(" over \(Format.number(kimg)) thousand generated images") }
    if let generator = input("initial-generator") { parts.append(", beginning with \(generator)") }
    parts.append(input("dataset").map { ", with the real images of \($0)." } ?? ", without training data.")
    return HTML(parts)
  }

  /// The figures at the top: the scores of the archive that is shown, and what it took.
  private var headlines: HTML? {
    var items: [HTML] = []
    for score in headlineScores.prefix(4) {
      let shown = score.shown
      let spread: HTML? = shown.uncertainty.map { "<small> ± \($0)</small>" }
      let images = score.images == nil ? "" : ", \(score.measuredOn)"
      items.append("<div class=\"main\"><dt>\(score.figure)\(images)</dt><dd>\(shown.value)\(spread)</dd></div>")
    }
    let slopes = [("train", "fd_training_slope"), ("distill", "fd_distillation_slope")].compactMap { stage, figure in
      job.steps(stage).last?.record.figures[figure]?.realValue
    }
    if let slope = slopes.last {
      items.append(
        "<div><dt>slope of the Frechet distance over images, log-log</dt><dd>\(Format.number(slope))</dd></div>")
    }
    if let rate = archiveStep?.content["images_per_second"]?.realValue {
      items.append("<div><dt>images sampled a second</dt><dd>\(Format.number(rate))</dd></div>")
    }
    if let duplicates = look?.duplicates {
      items.append(
        "<div><dt>exact duplicates among \(Format.plural(duplicates.count, "image"))</dt><dd>\(Format.count(duplicates.duplicateCount))</dd></div>"
      )
    }
    if let check = training?.check {
      items.append(
        "<div><dt>copies of training pictures among \(Format.plural(check.sampleCount, "sample"))</dt><dd>\(Format.count(check.copies))</dd></div>"
      )
    }
    if let seconds = totalSeconds {
      items.append("<div><dt>from the first step to the last output</dt><dd>\(Format.duration(seconds))</dd></div>")
    }
    return items.isEmpty ? nil : "<dl class=\"figures\">\(items)</dl>"
  }

  /// The scores of the archive that is shown; all of them where none is of it.
  var headlineScores: [ReportedScore] {
    let scores = ReportedScore.all(job)
    let own = scores.filter { isShown($0) }
    return own.isEmpty ? scores : own
  }

  /// Whether a score is of the archive that is shown.
  func isShown(_ score: ReportedScore) -> Bool {
    guard let digest = archiveStep?.outputSHA256 else { return false }
    return score.samplesSHA256 == digest
  }

  private var problems: HTML? {
    guard !job.problems.isEmpty else { return nil }
    return """
      <div class="missing" role="note">Not everything could be read:
      <ul>\(job.problems.prefix(50).map { "<li>\($0)</li>" as HTML })</ul></div>
      """
  }

  private var footer: HTML {
    """
    <footer><p>Made by \(createdBy)\(job.id.map { " from the job \($0)" as HTML }). This page is one file: it loads nothing and runs nothing.</p></footer>
    """
  }

  /// Seconds from the start of the first step to the end of the last.
  private var totalSeconds: Double? {
    guard let first = job.steps.compactMap(\.timing.started).min(),
      let last = job.steps.compactMap(\.timing.published).max(), last > first
    else { return nil }
    return last.timeIntervalSince(first)
  }
}
