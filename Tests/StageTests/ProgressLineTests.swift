import Diagnostics
import Testing

@Suite("Progress in one line")
struct ProgressLineTests {
  private let progress = ProgressLine(
    label: "generator", done: 24576, total: 61440, unit: "images", rate: 98.7, etaSeconds: 373, metrics: ["loss": 0.12])

  @Test("is a sentence, with what is known")
  func sentence() {
    #expect(progress.text == "generator 24576/61440 images (40 %), 98.7 images/s, 6 min 13 s left, loss 0.12")
    #expect(ProgressLine(label: "a", done: 0.5, total: 2, unit: "kimg").text == "a 0.5/2 kimg (25 %)")
    #expect(ProgressLine(label: "a", done: 1, total: 0, unit: "x", rate: 0.01).text == "a 1/0 x, 36.0 x/h")
  }

  @Test("is a bar where the terminal has room, and fits it always")
  func bar() {
    #expect(
      progress.bar(columns: 120)
        == "[" + String(repeating: "#", count: 12) + String(repeating: ".", count: 18)
        + "] generator 24576/61440 images (40 %)  98.7 images/s  6 min 13 s left  loss 0.12")
    var strange = progress
    for (done, total) in [(24576.0, 61440.0), (-1, 10), (20, 10), (0, 0), (.nan, 10)] {
      (strange.done, strange.total) = (done, total)
      for columns in 0...140 { #expect(strange.bar(columns: columns).count < max(columns, 1)) }
    }
  }

  @Test(
    "Durations are short at any length",
    arguments: [
      (0, "0 s"), (7.4, "7 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"),
      (180_000, "2 d 2 h"), (273_600, "3 d 4 h"), (.infinity, "for ever"), (-1, "unknown"), (.nan, "unknown"),
    ])
  func durations(seconds: Double, text: String) {
    #expect(DurationText.words(seconds) == text)
  }

  @Test("What is left is rounded up; short stages are told in tenths")
  func roundings() {
    #expect(DurationText.left(0.2) == "1 s left" && DurationText.left(59.1) == "1 min 0 s left")
    #expect(DurationText.words(0.44, tenths: true) == "0.4 s" && DurationText.words(9.96, tenths: true) == "10 s")
  }
}
