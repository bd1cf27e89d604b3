import Foundation

/// A line plot as a small PNG: a few series, axes with labels, horizontal reference lines.
public struct LinePlot: Sendable {
  /// One curve.
  public struct Series: Sendable {
    /// What the legend calls it; empty for no entry.
    public let name: String
    /// Whether it is a line through other points, such as a fit: thin, and its own points are not marked.
    public let isFit: Bool
    /// Its points in the order of the line; those that are not finite, or not positive on a logarithmic axis, are left out.
    public let points: [(x: Double, y: Double)]

    /// - Parameters:
    ///   - name: what the legend calls it.
    ///   - points: in the order of the line.
    ///   - isFit: whether it is a line through other points.
    public init(_ name: String, _ points: [(x: Double, y: Double)], isFit: Bool = false) {
      self.name = name
      self.points = points
      self.isFit = isFit
    }
  }

  /// A dashed horizontal line with a label, such as the teacher's distance.
  public struct Reference: Sendable {
    /// Written above the line at its right end.
    public let name: String
    /// Where it stands.
    public let y: Double

    /// - Parameters:
    ///   - name: written above the line.
    ///   - y: where it stands.
    public init(_ name: String, y: Double) {
      self.name = name
      self.y = y
    }
  }

  /// Above the plot.
  public var title: String
  /// Below the horizontal axis, with its unit.
  public var xLabel: String
  /// Above the vertical axis, with its unit.
  public var yLabel: String
  /// The curves.
  public var series: [Series]
  /// The horizontal lines.
  public var references: [Reference]
  /// Whether the vertical axis is logarithmic.
  public var logarithmicY: Bool
  /// Whether the horizontal axis is logarithmic.
  public var logarithmicX: Bool

  /// - Parameters:
  ///   - title: above the plot.
  ///   - xLabel: below the horizontal axis.
  ///   - yLabel: above the vertical axis.
  ///   - series: the curves.
  ///   - references: the horizontal lines.
  ///   - logarithmicY: whether the vertical axis is logarithmic.
  ///   - logarithmicX: whether the horizontal axis is.
  public init(
    title: String, xLabel: String, yLabel: String, series: [Series], references: [Reference] = [],
    logarithmicY: Bool = true, logarithmicX: Bool = false
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.references = references
    self.logarithmicY = logarithmicY
    self.logarithmicX = logarithmicX
  }

  /// Publishes the plot, 800 x 500 pixels.
  /// - Throws: a `Failure` naming the file where it cannot be written.
  public func write(to path: String) throws {
    let canvas = PlotPage(self).canvas
    try PNGEncoder.write(
      canvas.pixels, shape: ImageShape(height: canvas.height, width: canvas.width, channels: 3), to: path)
  }
}

/// The drawing of one plot.
private struct PlotPage {
  private(set) var canvas = Canvas(width: 800, height: 500)
  private let plot: LinePlot
  private let x: PlotAxis
  private let y: PlotAxis
  private let left: Float = 76
  private let right: Float = 776
  private let top: Float = 70
  private let bottom: Float = 440

  private static let ink = Canvas.Color(40, 44, 52)
  private static let faint = Canvas.Color(120, 126, 136)
  private static let grid = Canvas.Color(229, 232, 237)
  private static let palette = [
    Canvas.Color(31, 98, 178), Canvas.Color(214, 94, 30), Canvas.Color(38, 140, 92), Canvas.Color(150, 76, 160),
  ]

  init(_ plot: LinePlot) {
    self.plot = plot
    let points = plot.series.flatMap(\.points)
    x = PlotAxis(values: points.map(\.x), isLogarithmic: plot.logarithmicX, targetTicks: 7)
    y = PlotAxis(values: points.map(\.y) + plot.references.map(\.y), isLogarithmic: plot.logarithmicY, targetTicks: 6)
    drawAxes()
    drawReferences()
    drawSeries()
    drawLegend()
  }

  private func place(_ point: (x: Double, y: Double)) -> (x: Float, y: Float) {
    (
      left + Float(x.position(point.x)) * (right - left),
      bottom - Float(y.position(point.y)) * (bottom - top)
    )
  }

  private mutating func drawAxes() {
    for tick in y.ticks {
      let height = place((x.low, tick)).y.rounded()
      canvas.polyline([(left, height), (right, height)], width: 1, color: Self.grid)
      let label = PlotAxis.label(tick)
      canvas.text(label, x: Int(left) - 9 - Canvas.textWidth(label), y: Int(height) + 5, color: Self.faint)
    }
    for tick in x.ticks {
      let position = place((tick, y.low)).x.rounded()
      canvas.polyline([(position, bottom), (position, bottom + 5)], width: 1, color: Self.faint)
      let label = PlotAxis.label(tick)
      canvas.text(label, x: Int(position) - Canvas.textWidth(label) / 2, y: Int(bottom) + 21, color: Self.faint)
    }
    canvas.polyline([(left, bottom), (right, bottom)], width: 1, color: Self.faint)
    canvas.text(plot.title, x: Int(left), y: 26, color: Self.ink)
    canvas.text(plot.yLabel, x: Int(left), y: 52, color: Self.faint)
    canvas.text(plot.xLabel, x: Int(right) - Canvas.textWidth(plot.xLabel), y: Int(bottom) + 46, color: Self.faint)
  }

  private mutating func drawReferences() {
    for reference in plot.references where y.contains(reference.y) {
      let height = place((x.low, reference.y)).y
      canvas.dashes(from: left, to: right, y: height, width: 1.4, color: Self.faint)
      let text = "\(reference.name) \(String(format: "%.3g", reference.y))"
      let place = labelPlace(width: Canvas.textWidth(text), at: height)
      canvas.text(text, x: place.x, y: place.baseline, color: Self.ink)
    }
  }

  /// Where the label of a horizontal line is crossed least by the curves: right or left, above or below.
  private func labelPlace(width: Int, at height: Float) -> (x: Int, baseline: Int) {
    let candidates = [-6, 17].flatMap { offset in
      [Int(right) - width, Int(left) + 8].map { (x: $0, baseline: Int(height) + offset) }
    }.filter { $0.baseline < Int(bottom) }
    return candidates.min { crossings($0, width) < crossings($1, width) } ?? (Int(right) - width, Int(height) - 6)
  }

  /// How much of the curves lies under a label.
  private func crossings(_ label: (x: Int, baseline: Int), _ width: Int) -> Int {
    let columns = Float(label.x - 4)...Float(label.x + width + 4)
    let rows = Float(label.baseline - BitmapFont.baseline - 3)...Float(label.baseline + 4)
    var hits = 0
    for series in plot.series {
      let points = series.points.filter { x.contains($0.x) && y.contains($0.y) }.map { place($0) }
      for (a, b) in zip(points, points.dropFirst()) {
        for part in 0..<16 {
          let t = Float(part) / 16
          let along = (x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y))
          if columns.contains(along.x), rows.contains(along.y) { hits += 1 }
        }
      }
    }
    return hits
  }

  private mutating func drawSeries() {
    for (index, series) in plot.series.enumerated() {
      let color = Self.palette[index % Self.palette.count]
      let points = series.points.filter { x.contains($0.x) && y.contains($0.y) }.map { place($0) }
      canvas.polyline(points, width: series.isFit ? 1.2 : 2.2, color: color)
      // Marks only where they stay apart: few points are measurements, many are a curve.
      if points.count <= 40, !series.isFit {
        for point in points { canvas.disc(point.x, point.y, radius: 3.4, color: color) }
      }
    }
  }

  private mutating func drawLegend() {
    let named = plot.series.enumerated().filter { !$0.element.name.isEmpty }
    var position = Int(right)
    for (index, series) in named.reversed() {
      position -= Canvas.textWidth(series.name)
      canvas.text(series.name, x: position, y: 52, color: Self.ink)
      position -= 34
      canvas.polyline(
        [(Float(position), 47), (Float(position + 24), 47)], width: 2.2, color: Self.palette[index % Self.palette.count]
      )
      position -= 20
    }
  }
}
