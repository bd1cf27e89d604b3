import Foundation
import Images
import Training

/// The Frechet distance against the images of the training on log-log axes, as inline SVG that takes its colors from the page.
struct CurvePlot {
  let points: [(x: Double, y: Double)]
  let fit: PowerLawFit?
  private let frame: PlotFrame

  /// - Parameters:
  ///   - curve: the evaluations; those at the start, which a logarithmic axis cannot show, are left out.
  ///   - fit: the line through the falling part.
  ///   - width: in units of the text's pixels.
  init(_ curve: EvaluationCurve, fit: PowerLawFit?, width: Double, height: Double) {
    points = curve.points.map { (x: $0.kimg, y: $0.fd) }.filter { $0.x > 0 && $0.y > 0 }
    self.fit = fit
    frame = PlotFrame(
      x: PlotAxis(values: points.map(\.x), isLogarithmic: true, targetTicks: 6),
      y: PlotAxis(values: points.map(\.y), isLogarithmic: true, targetTicks: 6), width: width, height: height,
      rightMargin: 10)
  }

  /// The element.
  /// - Parameters:
  ///   - kind: its class, by which the style sheet chooses between sizes.
  ///   - summary: what it shows, for those who do not see it.
  func svg(kind: String, summary: String) -> HTML {
    """
    <svg class="plot \(kind)" viewBox="0 0 \(Int(frame.width)) \(Int(frame.height))" role="img" aria-label="\(summary)">
    \(frame.axes)\(fitLine)\(line)\(marks)
    </svg>
    """
  }

  private var line: HTML {
    let path = points.map { frame.text(of: frame.place($0)) }.joined(separator: " ")
    return "<polyline class=\"curve\" points=\"\(path)\"/>"
  }

  private var marks: HTML {
    guard points.count <= 60 else { return "" }
    return HTML(
      points.map { point in
        let at = frame.place(point)
        let title = String(format: "%.4g kimg: %.4g", point.x, point.y)
        return
          "<circle class=\"mark\" cx=\"\(frame.text(at.x))\" cy=\"\(frame.text(at.y))\" r=\"3.2\"><title>\(title)</title></circle>"
      })
  }

  private var fitLine: HTML? {
    guard let fit else { return nil }
    let ends = [fit.kimg.lowerBound, fit.kimg.upperBound].map { (x: $0, y: fit.distance(atKimg: $0)) }
    guard ends.allSatisfy({ $0.y > 0 && $0.y.isFinite }) else { return nil }
    let (a, b) = (frame.place(ends[0]), frame.place(ends[1]))
    return """
      <line class="fit" x1="\(frame.text(a.x))" y1="\(frame.text(a.y))" x2="\(frame.text(b.x))" y2="\(frame.text(b.y))"/>
      <text class="note" x="\(frame.text((a.x + b.x) / 2 + 8))" y="\(frame.text((a.y + b.y) / 2 - 8))">\(String(format: "slope %.2f", fit.slope))</text>
      """
  }
}
