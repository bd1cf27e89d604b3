import Foundation
import Images
import Training

/// The Frechet distance against the images of the training on log-log axes, as inline SVG that takes its colors from the page.
struct CurvePlot {
  let points: [(x: Double, y: Double)]
  let fit: PowerLawFit?
  let width: Double
  let height: Double

  private let x: PlotAxis
  private let y: PlotAxis
  private let left = 44.0
  private let top = 12.0
  private var right: Double { width - 10 }
  private var bottom: Double { height - 40 }

  /// - Parameters:
  ///   - curve: the evaluations; those at the start, which a logarithmic axis cannot show, are left out.
  ///   - fit: the line through the falling part.
  ///   - width: in units of the text's pixels.
  init(_ curve: EvaluationCurve, fit: PowerLawFit?, width: Double, height: Double) {
    points = curve.points.map { (x: $0.kimg, y: $0.fd) }.filter { $0.x > 0 && $0.y > 0 }
    self.fit = fit
    (self.width, self.height) = (width, height)
    x = PlotAxis(values: points.map(\.x), isLogarithmic: true, targetTicks: 6)
    y = PlotAxis(values: points.map(\.y), isLogarithmic: true, targetTicks: 6)
  }

  private func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
    (left + x.position(point.x) * (right - left), bottom - y.position(point.y) * (bottom - top))
  }

  /// The element.
  /// - Parameters:
  ///   - kind: its class, by which the style sheet chooses between sizes.
  ///   - summary: what it shows, for those who do not see it.
  func svg(kind: String, summary: String) -> HTML {
    """
    <svg class="plot \(kind)" viewBox="0 0 \(Int(width)) \(Int(height))" role="img" aria-label="\(summary)">
    \(axes)\(fitLine)\(line)\(marks)
    </svg>
    """
  }

  private var axes: HTML {
    var parts: [HTML] = []
    var lastY = Double.infinity
    for tick in y.ticks {
      let at = place((x.low, tick)).y
      parts.append(
        "<line class=\"grid\" x1=\"\(text(left))\" x2=\"\(text(right))\" y1=\"\(text(at))\" y2=\"\(text(at))\"/>")
      guard lastY - at >= 15 else { continue }
      lastY = at
      parts.append(
        "<text class=\"tick\" x=\"\(text(left - 7))\" y=\"\(text(at + 4))\" text-anchor=\"end\">\(PlotAxis.label(tick))</text>"
      )
    }
    var lastX = -Double.infinity
    for tick in x.ticks {
      let at = place((tick, y.low)).x
      parts.append(
        "<line class=\"axis\" x1=\"\(text(at))\" x2=\"\(text(at))\" y1=\"\(text(bottom))\" y2=\"\(text(bottom + 5))\"/>"
      )
      guard at - lastX >= 34 else { continue }
      lastX = at
      parts.append(
        "<text class=\"tick\" x=\"\(text(at))\" y=\"\(text(bottom + 19))\" text-anchor=\"middle\">\(PlotAxis.label(tick))</text>"
      )
    }
    parts.append(
      "<line class=\"axis\" x1=\"\(text(left))\" x2=\"\(text(right))\" y1=\"\(text(bottom))\" y2=\"\(text(bottom))\"/>")
    parts.append(
      "<text class=\"tick\" x=\"\(text(right))\" y=\"\(text(height - 4))\" text-anchor=\"end\">thousands of images</text>"
    )
    return HTML(parts)
  }

  private var line: HTML {
    let path = points.map { place($0) }.map { "\(text($0.x)),\(text($0.y))" }.joined(separator: " ")
    return "<polyline class=\"curve\" points=\"\(path)\"/>"
  }

  private var marks: HTML {
    guard points.count <= 60 else { return "" }
    return HTML(
      points.map { point in
        let at = place(point)
        let title = String(format: "%.4g kimg: %.4g", point.x, point.y)
        return
          "<circle class=\"mark\" cx=\"\(text(at.x))\" cy=\"\(text(at.y))\" r=\"3.2\"><title>\(title)</title></circle>"
      })
  }

  private var fitLine: HTML? {
    guard let fit else { return nil }
    let ends = [fit.kimg.lowerBound, fit.kimg.upperBound].map { (x: $0, y: fit.distance(atKimg: $0)) }
    guard ends.allSatisfy({ $0.y > 0 && $0.y.isFinite }) else { return nil }
    let (a, b) = (place(ends[0]), place(ends[1]))
    return """
      <line class="fit" x1="\(text(a.x))" y1="\(text(a.y))" x2="\(text(b.x))" y2="\(text(b.y))"/>
      <text class="note" x="\(text((a.x + b.x) / 2 + 8))" y="\(text((a.y + b.y) / 2 - 8))">\(String(format: "slope %.2f", fit.slope))</text>
      """
  }

  private func text(_ value: Double) -> String { String(format: "%.1f", min(max(value, -1e5), 1e5)) }
}
