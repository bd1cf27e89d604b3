import Foundation
import Images

/// The losses by noise level against the images of the training on log-log axes, as inline SVG with a name at the end of each
/// line.
struct LossPlot {
  /// One line of the plot.
  struct Line {
    /// What stands at its end.
    let name: String
    /// Its class, by which the style sheet gives it a color.
    let style: String
    /// Thousands of images, and the mean loss.
    let points: [(x: Double, y: Double)]
  }

  let lines: [Line]
  private let frame: PlotFrame
  private static let colors = 9
  private static let labelHeight = 13.0
  private static let labelWidth = 98.0

  /// - Parameters:
  ///   - log: what the training's log says.
  ///   - width: in units of the text's pixels.
  init(_ log: LossLog, width: Double, height: Double) {
    let x = PlotAxis(values: log.stretches.map(\.kimg), isLogarithmic: true, targetTicks: 6)
    var lines: [Line] = log.levels.enumerated().map { index, level in
      let color = log.levels.count > 1 ? index * (Self.colors - 1) / (log.levels.count - 1) : 0
      return Line(
        name: level.label, style: "level\(color)", points: Self.points(log) { $0.byLevel[index] })
    }
    lines.append(Line(name: "all", style: "all", points: Self.points(log) { $0.all }))
    self.lines = lines.filter { !$0.points.isEmpty }
    let y = PlotAxis(values: lines.flatMap { $0.points.map(\.y) }, isLogarithmic: true, targetTicks: 6)
    frame = PlotFrame(x: x, y: y, width: width, height: height, rightMargin: Self.labelWidth)
  }

  /// The means of stretches that grow with what was seen: each has a tenth of all elements up to there. On a logarithmic axis
  /// they lie evenly, and few elements make no rugged line.
  private static func points(
    _ log: LossLog, _ sum: (LossLog.Stretch) -> LossLog.Sum
  ) -> [(x: Double, y: Double)] {
    var found: [(kimg: Double, sum: LossLog.Sum)] = []
    var (seen, part) = (0.0, LossLog.Sum())
    for stretch in log.stretches {
      part.add(sum(stretch))
      guard part.count > 0, part.count * 10 >= seen + part.count else { continue }
      seen += part.count
      found.append((stretch.kimg, part))
      part = LossLog.Sum()
    }
    // What is left is too little for a point of its own.
    if part.count > 0, let last = log.stretches.last?.kimg, !found.isEmpty {
      found[found.count - 1].kimg = last
      found[found.count - 1].sum.add(part)
    }
    // A logarithmic axis has no place for 0.
    return found.compactMap { kimg, sum in sum.mean.flatMap { $0 > 1e-12 ? (kimg, $0) : nil } }
  }

  /// The element.
  /// - Parameters:
  ///   - kind: its class, by which the style sheet chooses between sizes.
  ///   - summary: what it shows, for those who do not see it.
  func svg(kind: String, summary: String) -> HTML {
    """
    <svg class="plot \(kind)" viewBox="0 0 \(Int(frame.width)) \(Int(frame.height))" role="img" aria-label="\(summary)">
    \(frame.axes)\(lines.map { polyline($0) })\(labels)
    </svg>
    """
  }

  private func polyline(_ line: Line) -> HTML {
    let path = line.points.map { frame.text(of: frame.place($0)) }.joined(separator: " ")
    return "<polyline class=\"loss \(line.style)\" points=\"\(path)\"><title>\(line.name)</title></polyline>"
  }

  /// The names at the ends of the lines, moved apart where they would lie on each other.
  private var labels: HTML {
    var ends = lines.compactMap { line in
      line.points.last.map { (line: line, end: frame.place($0), at: frame.place($0).y) }
    }.sorted { $0.at < $1.at }
    for index in ends.indices {
      let above = index > 0 ? ends[index - 1].at + Self.labelHeight : PlotFrame.top + 4
      ends[index].at = max(ends[index].at, above)
    }
    for index in ends.indices.reversed() {
      let below = index + 1 < ends.count ? ends[index + 1].at - Self.labelHeight : frame.bottom
      ends[index].at = min(ends[index].at, below)
    }
    let left = frame.right + 16
    return HTML(
      ends.map { label in
        """
        <line class="lead \(label.line.style)" x1="\(frame.text(label.end.x + 2))" y1="\(frame.text(label.end.y))" x2="\(frame.text(left - 3))" y2="\(frame.text(label.at))"/>
        <text class="name \(label.line.style)" x="\(frame.text(left))" y="\(frame.text(label.at + 4))">\(label.line.name)</text>
        """
      })
  }
}

extension LossLog.Level {
  /// "σ 0.1–0.3", "σ < 0.01", "σ ≥ 30".
  var label: String {
    if lower == 0, upper.isFinite { return "σ < \(PlotAxis.label(upper))" }
    return upper.isFinite
      ? "σ \(PlotAxis.label(lower))–\(PlotAxis.label(upper))" : "σ ≥ \(PlotAxis.label(lower))"
  }
}
