import Foundation
import Images

/// The axes of a plot over thousands of images, as inline SVG that takes its colors from the page.
struct PlotFrame {
  let x: PlotAxis
  let y: PlotAxis
  let width: Double
  let height: Double
  /// Room for what stands at the ends of lines.
  let rightMargin: Double

  static let left = 44.0
  static let top = 12.0
  var right: Double { width - rightMargin }
  var bottom: Double { height - 40 }

  func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
    (Self.left + x.position(point.x) * (right - Self.left), bottom - y.position(point.y) * (bottom - Self.top))
  }

  /// A number of an attribute.
  func text(_ value: Double) -> String { String(format: "%.1f", min(max(value, -1e5), 1e5)) }

  /// A place within a list of points.
  func text(of place: (x: Double, y: Double)) -> String { "\(text(place.x)),\(text(place.y))" }

  var axes: HTML {
    var parts: [HTML] = []
    var lastY = Double.infinity
    for tick in y.ticks {
      let at = place((x.low, tick)).y
      parts.append(
        "<line class=\"grid\" x1=\"\(text(Self.left))\" x2=\"\(text(right))\" y1=\"\(text(at))\" y2=\"\(text(at))\"/>")
      guard lastY - at >= 15 else { continue }
      lastY = at
      parts.append(
        "<text class=\"tick\" x=\"\(text(Self.left - 7))\" y=\"\(text(at + 4))\" text-anchor=\"end\">\(PlotAxis.label(tick))</text>"
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
      "<line class=\"axis\" x1=\"\(text(Self.left))\" x2=\"\(text(right))\" y1=\"\(text(bottom))\" y2=\"\(text(bottom))\"/>"
    )
    parts.append(
      "<text class=\"tick\" x=\"\(text(right))\" y=\"\(text(height - 4))\" text-anchor=\"end\">thousands of images</text>"
    )
    return HTML(parts)
  }
}
