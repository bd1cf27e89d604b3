/// An RGB page that lines and text are drawn on, anti-aliased.
struct Canvas {
  /// A color, 0...255 each.
  struct Color: Sendable {
    let red: Float
    let green: Float
    let blue: Float

    init(_ red: Float, _ green: Float, _ blue: Float) {
      self.red = red
      self.green = green
      self.blue = blue
    }
  }

  let width: Int
  let height: Int
  private(set) var pixels: [UInt8]  // [height, width, 3]

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    pixels = Array(repeating: 255, count: width * height * 3)
  }

  /// Mixes a color into one pixel; nothing happens outside the page.
  private mutating func blend(_ color: Color, x: Int, y: Int, coverage: Float) {
    guard x >= 0, x < width, y >= 0, y < height, coverage > 0 else { return }
    let base = (y * width + x) * 3
    let mixed = [color.red, color.green, color.blue]
    for channel in 0..<3 {
      let old = Float(pixels[base + channel])
      pixels[base + channel] = UInt8(max(0, min(255, old + (mixed[channel] - old) * min(coverage, 1))).rounded())
    }
  }

  /// Draws a line through points, round at its joints and ends. Pixel centers have whole coordinates.
  ///
  /// Each pixel takes the coverage of the nearest segment, so segments that meet do not darken their joint.
  mutating func polyline(_ points: [(x: Float, y: Float)], width lineWidth: Float, color: Color) {
    guard let first = points.first else { return }
    let segments = points.count == 1 ? [(first, first)] : Array(zip(points, points.dropFirst()))
    var coverage: [Int: Float] = [:]
    let reach = lineWidth / 2 + 1
    for (a, b) in segments {
      let xs = Self.span(a.x, b.x, reach: reach, limit: width)
      let ys = Self.span(a.y, b.y, reach: reach, limit: height)
      for y in ys {
        for x in xs {
          let value = lineWidth / 2 + 0.5 - Self.distance(Float(x), Float(y), a, b)
          if value > 0 { coverage[y * width + x] = max(coverage[y * width + x] ?? 0, min(value, 1)) }
        }
      }
    }
    for (pixel, value) in coverage { blend(color, x: pixel % width, y: pixel / width, coverage: value) }
  }

  /// Draws a dashed horizontal line.
  mutating func dashes(from left: Float, to right: Float, y: Float, width lineWidth: Float, color: Color) {
    for x in stride(from: left, to: right, by: 9) {
      polyline([(x, y), (min(x + 5, right), y)], width: lineWidth, color: color)
    }
  }

  /// Fills a disc.
  mutating func disc(_ x: Float, _ y: Float, radius: Float, color: Color) {
    polyline([(x, y)], width: 2 * radius, color: color)
  }

  /// Writes a line of text; `x`, `y` is the left end of its baseline.
  mutating func text(_ text: String, x: Int, y: Int, color: Color) {
    for (index, character) in text.enumerated() {
      for row in 0..<BitmapFont.height {
        for column in 0..<BitmapFont.width where BitmapFont.covers(character, x: column, y: row) {
          blend(color, x: x + index * BitmapFont.width + column, y: y - BitmapFont.baseline + row, coverage: 1)
        }
      }
    }
  }

  /// The width of a line of text in pixels.
  static func textWidth(_ text: String) -> Int { text.count * BitmapFont.width }

  private static func span(_ a: Float, _ b: Float, reach: Float, limit: Int) -> ClosedRange<Int> {
    let low = max(0, Int((min(a, b) - reach).rounded(.down)))
    return low...max(low, min(limit - 1, Int((max(a, b) + reach).rounded(.up))))
  }

  /// The distance of a point from the segment a-b.
  private static func distance(
    _ x: Float, _ y: Float, _ a: (x: Float, y: Float), _ b: (x: Float, y: Float)
  ) -> Float {
    let dx = b.x - a.x
    let dy = b.y - a.y
    let length = dx * dx + dy * dy
    let t = length > 0 ? max(0, min(1, ((x - a.x) * dx + (y - a.y) * dy) / length)) : 0
    let ex = x - a.x - t * dx
    let ey = y - a.y - t * dy
    return (ex * ex + ey * ey).squareRoot()
  }
}
