import Diagnostics
import Foundation
import Images
import TestSupport
import Testing

@Suite("PNG files, contact sheets, plots")
struct DrawingTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func decode(_ name: String) throws -> (shape: ImageShape, pixels: [UInt8]) {
    try PNGDecoder.decode(Array(try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))), subject: name)
  }

  @Test("What is written reads back byte for byte", arguments: [1, 3])
  func roundTrip(channels: Int) throws {
    let pixels = (0..<5 * 7 * channels).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    try PNGEncoder.write(pixels, shape: ImageShape(height: 5, width: 7, channels: channels), to: folder.file("a.png"))
    let image = try decode("a.png")
    #expect(image.shape == ImageShape(height: 5, width: 7, channels: channels))
    #expect(image.pixels == pixels)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.png"])
  }

  @Test("A folder that is missing is named, with status 73")
  func missingFolder() {
    #expect {
      try PNGEncoder.write([0], shape: ImageShape(height: 1, width: 1, channels: 1), to: folder.file("none/a.png"))
    } throws: { error in
      (error as? Failure)?.status == .cannotCreate && "\(error)".contains("none/a.png")
    }
  }

  @Test("Tiny images are enlarged by a whole factor, row by row, on gray paper")
  func contactSheet() throws {
    // Three gray images of 8 x 8, each of one value, in two columns: 6-fold, margins of 2.
    let images = [10, 20, 30].flatMap { [UInt8](repeating: $0, count: 64) }
    try ContactSheet.write(
      images: images, count: 3, shape: ImageShape(height: 8, width: 8, channels: 1), columns: 2,
      to: folder.file("sheet.png"))
    let sheet = try decode("sheet.png")
    #expect(sheet.shape.width == 102 && sheet.shape.height == 102)
    func pixel(_ x: Int, _ y: Int) -> UInt8 { sheet.pixels[y * sheet.shape.width + x] }
    #expect(pixel(2, 2) == 10 && pixel(49, 49) == 10)
    #expect(pixel(50, 50) == 112 && pixel(0, 0) == 112)
    #expect(pixel(52, 2) == 20 && pixel(2, 52) == 30)
    #expect(pixel(60, 60) == 112)
  }

  @Test("Large images keep their size and colors")
  func largeImages() throws {
    let images = (0..<2 * 64 * 64 * 3).map { UInt8(truncatingIfNeeded: $0) }
    try ContactSheet.write(
      images: images, count: 2, shape: ImageShape(height: 64, width: 64, channels: 3), to: folder.file("sheet.png"))
    let sheet = try decode("sheet.png")
    #expect(sheet.shape.width == 2 * 66 + 2 && sheet.shape.height == 68)
    #expect(
      Array(sheet.pixels[(2 * sheet.shape.width + 2) * 3..<(2 * sheet.shape.width + 66) * 3]) == Array(images[..<192]))
  }

  @Test("A logarithmic axis holds its values and labels round ones")
  func logarithmicAxis() {
    let axis = PlotAxis(values: [9.6, 0.334, 0.31, .nan, -1], isLogarithmic: true, targetTicks: 6)
    #expect(axis.ticks == [0.5, 1, 2, 5, 10])
    #expect(axis.contains(0.31) && axis.contains(9.6) && !axis.contains(.nan))
    #expect(abs(axis.position(axis.low)) < 1e-12 && abs(axis.position(axis.high) - 1) < 1e-12)
    #expect(PlotAxis(values: [], isLogarithmic: true, targetTicks: 6).high > 0)
  }

  @Test("A linear axis labels multiples of 1, 2 or 5")
  func linearAxis() {
    let ticks = PlotAxis(values: [0, 61.44], isLogarithmic: false, targetTicks: 7).ticks
    #expect(ticks == [0, 10, 20, 30, 40, 50, 60])
    #expect([0.5, 10, 0.0001, 200_000].map { PlotAxis.label($0) } == ["0.5", "10", "1e-04", "2e+05"])
  }

  @Test(
    "A plot is drawn whatever its points are", arguments: [[], [(1.0, 2.0)], [(0.0, 1.0), (1.0, .nan), (2.0, 0.5)]])
  func plot(points: [(Double, Double)]) throws {
    let plot = LinePlot(
      title: "t", xLabel: "kimg", yLabel: "FD", series: [.init("", points.map { (x: $0.0, y: $0.1) })],
      references: [.init("teacher", y: 0.31)])
    var logarithmic = plot
    logarithmic.logarithmicX = true
    for plot in [plot, logarithmic] { try plot.write(to: folder.file("plot.png")) }
    let image = try decode("plot.png")
    #expect(image.shape.width == 800 && image.shape.height == 500)
    #expect(image.pixels.contains { $0 < 100 })
  }
}
