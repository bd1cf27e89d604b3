import Files
import Foundation
import Records
import Sampling

/// Where everything comes from: times, files, options, and the job file.
extension ReportPage {
  var timings: Section? {
    guard !job.steps.isEmpty else { return nil }
    let longest = job.steps.compactMap(\.timing.seconds).max() ?? 0
    let rows: [HTML] = job.steps.map { step in
      let timing = step.timing
      let share = longest > 0 ? (timing.seconds ?? 0) / longest * 100 : 0
      let bar: HTML? = timing.seconds.map { _ in
        "<span class=\"bar\" style=\"width:\(String(format: "%.1f", share))%\"></span>"
      }
      let again = timing.attempts > 1 ? ", \(timing.attempts) attempts" : ""
      return """
        <tr><th scope="row">\(step.name)<br><span class="small">\(step.stage)\(again)</span></th>
        <td class="number">\(timing.seconds.map { Format.duration($0) } ?? "unknown")</td>
        <td class="full">\(bar)</td>
        <td class="full small">\(timing.published.map { "done " + Format.time($0) } ?? "not there")</td></tr>
        """
    }
    let isTimed = job.steps.contains { $0.timing.seconds != nil }
    let note: HTML? =
      isTimed ? nil : "<p class=\"note\">How long the steps took is not known: the folder has no logs of a daemon.</p>"
    return Section(
      "timings", "Timings",
      about: "From a step's first start to its output, pauses between attempts included; UTC.",
      """
      <table class="stack"><caption>The steps in their order</caption>
      <thead><tr><th scope="col">Step</th><th scope="col" class="number">Took</th><th scope="col">Share of the longest</th><th scope="col">Output</th></tr></thead>
      <tbody>\(rows)</tbody></table>\(note)
      """)
  }

  var files: Section? {
    guard !job.steps.isEmpty else {
      return Section("provenance", "Provenance", Self.missingNote("the folder holds no step's output"))
    }
    return Section(
      "provenance", "Provenance",
      about:
        "Every output by its SHA-256, with what it was made from. Results are the same bit for bit on one kernel set.",
      HTML(job.steps.map { provenance(of: $0) }))
  }

  private func provenance(of step: ReportedStep) -> HTML {
    var facts: [HTML] = []
    let size = step.outputBytes.map { ", \(Format.bytes($0))" } ?? ""
    facts.append(fact("output", "\(step.output)\(size)\(step.outputSHA256.map { digest($0) })"))
    let inputs = step.origin?.inputs.map { ($0.key, $0.value.path, $0.value.sha256) } ?? []
    for (name, path, sha256) in inputs.sorted(by: { $0.0 < $1.0 }).prefix(50) {
      facts.append(fact(name, "\(path)\(digest(sha256))"))
    }
    let options = (step.origin?.options ?? [:]).sorted { $0.key < $1.key }.prefix(200)
    if !options.isEmpty {
      let items: [HTML] = options.map { name, value in
        "<span\(value.count > 24 ? " class=\"long\"" : "" as HTML)><b>\(name)</b> \(value.count > 2000 ? value.prefix(2000) + "…" : value)</span> "
      }
      facts.append("<dt>options</dt><dd class=\"options\">\(items)</dd>")
    }
    if let kernels = step.origin?.kernels { facts.append(fact("kernels", "\(kernels)")) }
    let maker = step.createdBy ?? step.origin.map { "\($0.program) \($0.version)" } ?? "an unknown program"
    return """
      <div class="step"><h3>\(step.name) <span class="small">by \(maker)</span></h3><dl class="facts">\(facts)</dl></div>
      """
  }

  private func fact(_ name: String, _ value: HTML) -> HTML { "<dt>\(name)</dt><dd>\(value)</dd>" }

  private func digest(_ sha256: String) -> HTML { "<br><code class=\"small\">\(sha256)</code>" }

  var jobFile: Section? {
    guard let text = job.jobFile else {
      return Section(
        "job", "Job file", Self.missingNote("the folder holds no job.yaml; it was filled by hand"))
    }
    let digest: HTML? = job.jobFileSHA256.map { " SHA-256 <code>\($0.prefix(12) + "…")</code>." }
    let accepted: HTML? = job.accepted.map { " Accepted \(Format.time($0)) UTC." }
    return Section(
      "job", "Job file", about: "As it was submitted, changes of <code>--set</code> included.\(accepted)\(digest)",
      "<pre tabindex=\"0\"><code>\(text)</code></pre>")
  }
}
