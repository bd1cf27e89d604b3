import Foundation
import Images
import Training

/// How teachers and generators became what they are: losses, distances, and samples as the training went on.
extension ReportPage {
  var teachers: Section? {
    let steps = job.steps("train")
    guard !steps.isEmpty else { return nil }
    return Section(
      "training", steps.count > 1 ? "Teachers" : "Teacher",
      about:
        "What \(steps.map(\.name).joined(separator: ", then ")) learned from training pictures: losses by noise level, and the average's samples where they were measured on the way.",
      HTML(
        steps.map { step in
          "\(heading(of: step, among: steps))\(losses(of: step))\(curve(of: step, "average of the teacher"))\(course(of: step))"
        }))
  }

  var distillations: Section? {
    let steps = job.steps("distill")
    guard !steps.isEmpty else { return nil }
    return Section(
      "curve", "Distillation",
      about:
        "Frechet distance of the averaged generator's one-step samples as \(steps.map(\.name).joined(separator: ", then ")) was distilled, both axes logarithmic.",
      HTML(
        steps.map { step in
          "\(heading(of: step, among: steps))\(curve(of: step, "average of the generator"))\(course(of: step))"
        }))
  }

  private func heading(of step: ReportedStep, among steps: [ReportedStep]) -> HTML? {
    steps.count > 1 ? "<h3>\(step.name)</h3>" : nil
  }

  // MARK: Losses

  private func losses(of step: ReportedStep) -> HTML {
    guard let log = step.losses, let first = log.stretches.first, let last = log.stretches.last else {
      let log = LossLog.fileName(of: step.name)
      return Self.missingNote(
        step.lossesSHA256 == nil
          ? "the losses: the folder does not hold a log \(log) that can be read"
          : "the losses: \(log) tells none")
    }
    let (early, late) = (log.means { $0 <= 0.1 }, log.means { $0 > 0.9 })
    let names = ["all"] + log.levels.map(\.label)
    let rows: [HTML] = names.enumerated().map { index, name in
      let (before, after) = (early[index], late[index])
      return """
        <tr><th scope="row">\(name)</th><td class="number">\(before.map { Format.number($0) } ?? "none")</td>
        <td class="number">\(after.map { Format.number($0) } ?? "none")</td></tr>
        """
    }
    func summary(_ of: [LossPlot.Line]) -> String {
      let ends = of.map { line in
        String(format: "%@ from %.3g to %.3g", line.name, line.points.first?.y ?? 0, line.points.last?.y ?? 0)
      }
      return String(format: "Mean loss over %.4g to %.4g thousand images, by noise level: ", first.kimg, last.kimg)
        + ends.joined(separator: "; ")
    }
    let (wide, narrow) = (LossPlot(log, width: 760, height: 400), LossPlot(log, width: 360, height: 320))
    return """
      <figure>
      \(wide.svg(kind: "wide", summary: summary(wide.lines)))
      \(narrow.svg(kind: "narrow", summary: summary(narrow.lines)))
      <figcaption>Loss by noise level σ, weighted as in training, from \(Format.plural(log.lineCount, "line")) of the log; each point is the mean over a tenth of what was seen up to there. Both axes logarithmic.</figcaption>
      </figure>
      <table class="losses"><caption>Mean loss over the first and the last tenth of the images</caption>
      <thead><tr><th scope="col">Noise level</th><th scope="col" class="number">First tenth</th><th scope="col" class="number">Last tenth</th></tr></thead>
      <tbody>\(rows)</tbody></table>
      """
  }

  // MARK: Distances

  private func curve(of step: ReportedStep, _ subject: String) -> HTML {
    let curve = Self.curve(step)
    let fit = PowerLawFit(curve)
    let drawn = CurvePlot(curve, fit: fit, width: 760, height: 400)
    guard drawn.points.count >= 2 else {
      let reason =
        curve.points.isEmpty
        ? "distance and samples over time: nothing was measured on the way (evaluate)"
        : "the curve: there are not two evaluations after the start"
      return Self.missingNote(reason)
    }
    let best = curve.best.map {
      String(format: "The smallest distance, %.4g, after %.4g thousand images.", $0.fd, $0.kimg)
    }
    let summary = String(
      format: "Frechet distance over thousands of images, from %.4g at %.4g to %.4g at %.4g",
      drawn.points.first?.y ?? 0,
      drawn.points.first?.x ?? 0, drawn.points.last?.y ?? 0, drawn.points.last?.x ?? 0)
    let start = curve.points.first { $0.kimg == 0 }.map { String(format: " Before the first image: %.4g.", $0.fd) }
    let line = fit.map {
      String(
        format:
          "The line falls as images to the power %.3f from %.4g to %.4g thousand images (%d evaluations, R² %.3f): ",
        $0.slope, $0.kimg.lowerBound, $0.kimg.upperBound, $0.pointCount, $0.determination) + PowerLawFit.definition
        + "."
    }
    return """
      <figure>
      \(drawn.svg(kind: "wide", summary: summary))
      \(CurvePlot(curve, fit: fit, width: 340, height: 260).svg(kind: "narrow", summary: summary))
      <figcaption>Frechet distance of samples, \(subject). \(best ?? "")\(start ?? "") \(line ?? "")</figcaption>
      </figure>
      """
  }

  /// The evaluations as a file tells them: in the order of the training, and of sizes that axes can show.
  private static func curve(_ step: ReportedStep) -> EvaluationCurve {
    let known = 1e-12...1e12
    var curve = EvaluationCurve()
    for point in (step.content["curve"]?.arrayValue ?? []).prefix(10_000) {
      guard let kimg = point["kimg"]?.realValue, let fd = point["fd"]?.realValue,
        kimg == 0 || known.contains(kimg), known.contains(fd), kimg >= curve.points.last?.kimg ?? 0
      else { continue }
      curve.points.append(.init(kimg: kimg, seconds: point["seconds"]?.realValue, fd: fd))
    }
    return curve
  }

  // MARK: Samples over time

  private func course(of step: ReportedStep) -> HTML? {
    let points = Self.curve(step).points
    switch courses[step.name] {
    case .shown(let course):
      let rows: [HTML] = course.rows.map { row in
        let point = points.first { abs($0.kimg - row.kimg) <= 1e-9 * max(1, row.kimg) }
        let pictures: [HTML] = zip(row.pictures, course.seeds).map { picture, seed in
          picture.element(alt: "seed \(seed) after \(Format.number(row.kimg)) thousand images")
        }
        return """
          <tr><th scope="row">\(Format.number(row.kimg))</th><td class="number">\(point.map { Format.number($0.fd) } ?? "unknown")</td>
          <td><div class="strip">\(pictures)</div></td></tr>
          """
      }
      let fewer =
        points.count > course.rows.count ? ", \(course.rows.count) of \(Format.plural(points.count, "evaluation"))" : ""
      return """
        <table class="course"><caption>The same seeds as \(step.name) was trained\(fewer)</caption>
        <thead><tr><th scope="col">Thousand images</th><th scope="col" class="number">Distance</th><th scope="col">Samples of the average</th></tr></thead>
        <tbody>\(rows)</tbody></table>
        """
    case .missing(let reason): return Self.missingNote("samples over time: \(reason)")
    // Where nothing was measured the missing curve says so.
    case nil: return nil
    }
  }
}
