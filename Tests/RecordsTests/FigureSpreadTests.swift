import Foundation
import Records
import Testing

@Suite("The spread of a figure")
struct FigureSpreadTests {
  private static let metrics: JSONValue = ["fd": ["images": 5000, "sets": [0.23, 0.24, 0.25, 0.25]]]

  private func spread(_ value: Double) throws -> FigureSpread {
    try #require(FigureSpread(of: "fd", in: ["fd": 1, "fd_spread": .double(value)], metrics: Self.metrics))
  }

  @Test(
    "is shown to two digits, and the figure to as many decimals",
    arguments: [
      (0.24231, 0.01113, "0.242", "0.011"), (1.499, 0.0031, "1.4990", "0.0031"), (-0.002, 0.0105, "-0.002", "0.011"),
      (46.31, 2.5, "46.3", "2.5"), (46.31, 25, "46", "25"), (0.5, 0.0996, "0.500", "0.100"), (0, 0.5, "0.00", "0.50"),
      // Beyond the common, as the caller writes numbers.
      (1234.5, 2, "<1234.5>", "<2.0>"), (1e-6, 0.5, "<1e-06>", "<0.5>"), (0.5, 0, "<0.5>", "<0.0>"),
      (0.5, .infinity, "<0.5>", "<inf>"), (.nan, 0.1, "<nan>", "<0.1>"), (0.5, -1, "<0.5>", "<-1.0>"),
    ])
  func shown(figure: Double, value: Double, text: String, spreadText: String) throws {
    let shown = try spread(value).shown(figure) { "<\($0)>" }
    #expect(shown.figure == text && shown.spread == spreadText)
  }

  @Test("belongs to a figure whose record tells the sets, and to no other of the name")
  func found() throws {
    let figures: [String: JSONValue] = [
      "fd": 0.24, "fd_spread": 0.01, "x": 1, "x_spread": 2, "text": "a", "text_spread": 1,
    ]
    let found = try #require(FigureSpread(of: "fd", in: figures, metrics: Self.metrics))
    #expect(found.value == 0.01 && found.setCount == 4 && found.imageCount == 5000 && found.sets == "4 sets of 5,000")
    #expect(FigureSpread(of: "x", in: figures, metrics: Self.metrics) == nil)
    #expect(FigureSpread(of: "fd", in: figures, metrics: nil) == nil)
    #expect(FigureSpread(of: "fd", in: ["fd": 0.24], metrics: Self.metrics) == nil)
    #expect(FigureSpread(of: "fd_spread", in: figures, metrics: Self.metrics) == nil)
    #expect(FigureSpread(of: "fd", in: figures, metrics: ["fd": ["sets": [1]]]) == nil)
    #expect(FigureSpread(of: "text", in: figures, metrics: ["text": ["sets": [1, 2]]]) == nil)
    let unsaid = try #require(FigureSpread(of: "fd", in: figures, metrics: ["fd": ["sets": [1, 2]]]))
    #expect(unsaid.imageCount == nil && unsaid.sets == "2 sets")
  }

  @Test("in a summary is that of the step whose figure stands there")
  func inSummary() throws {
    let figures: [String: JSONValue] = ["fd": 0.24, "fd_spread": 0.01]
    func summary(_ top: [String: JSONValue]) -> [String: JSONValue] {
      top.merging([
        "steps": [
          "a": ["figures": .object(figures), "metrics": Self.metrics], "b": ["figures": ["fd": 0.5]], "c": 7,
        ]
      ]) { $1 }
    }
    #expect(FigureSpread(of: "fd", inSummary: summary(figures))?.setCount == 4)
    // Of another step that has no sets, or that calls a figure of its own so.
    #expect(FigureSpread(of: "fd", inSummary: summary(["fd": 0.5, "fd_spread": 0.01])) == nil)
    #expect(FigureSpread(of: "fd", inSummary: summary(["fd": 0.24, "fd_spread": 0.7])) == nil)
    #expect(FigureSpread(of: "fd", inSummary: summary(["fd": 0.24])) == nil)
    #expect(FigureSpread(of: "fd", inSummary: figures) == nil)
  }
}
