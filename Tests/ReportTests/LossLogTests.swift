import Foundation
import Report
import Testing

@Suite("The log of a teacher's training as the report reads it")
struct LossLogTests {
  private func line(_ kimg: Double, loss: Double = 1, count: Int = 100, levels: [(String, Int, Double)] = []) -> String
  {
    let parts = levels.map { #""Loss/loss_at_sigma_\#($0.0)": {"num": \#($0.1), "mean": \#($0.2)}"# }
    return "{"
      + ([
        #""Loss/loss": {"num": \#(count), "mean": \#(loss), "std": 1}"#,
        #""Progress/kimg": {"num": 1, "mean": \#(kimg), "std": 0}"#,
      ] + parts).joined(separator: ",") + "}\n"
  }

  private func log(_ text: String) -> LossLog { LossLog(Array(text.utf8)) }

  @Test("has levels by rising noise, and means over the elements")
  func means() {
    let log = log(
      line(1, loss: 0.5, levels: [("10.0-30.0", 10, 2), ("0-0.01", 90, 1)])
        + line(9.5, loss: 0.25, count: 300, levels: [("30.0-inf", 1, 5), ("10.0-30.0", 30, 4)])
        + line(10, loss: 0.75, levels: [("10.0-30.0", 10, 8)]))
    #expect(log.levels.map(\.lower) == [0, 10, 30])
    #expect(log.levels.map(\.upper) == [0.01, 30, Double.infinity])
    #expect(log.problems.isEmpty && log.lineCount == 3)
    let (first, last, none) = (log.means { $0 <= 0.1 }, log.means { $0 > 0.9 }, log.means { $0 > 1 })
    let expected: [[Double?]] = [[0.5, 1, 2, nil], [0.375, nil, 5, 5], [nil, nil, nil, nil]]
    #expect([first, last, none] == expected)
  }

  @Test("is thinned evenly, whatever its length, and keeps every element")
  func long() {
    var text = ""
    for number in 1...5000 {
      text += line(Double(number), loss: Double(number % 2), levels: [("0.1-0.3", 50, Double(number % 2))])
    }
    let log = log(text)
    #expect(log.lineCount == 5000 && log.problems.isEmpty)
    #expect((LossLog.mostStretches / 2...LossLog.mostStretches).contains(log.stretches.count))
    #expect(log.stretches.last?.kimg == 5000)
    // Four lines each, half of them 0.
    #expect(log.stretches.dropLast().allSatisfy { $0.all.mean == 0.5 && $0.byLevel.first?.mean == 0.5 })
    let all: [Double?] = log.means { _ in true }
    #expect(all == [0.5, 0.5])
    #expect(self.log(text) == log)
  }

  @Test("says what of it cannot be used, and uses the rest")
  func damaged() {
    let good = line(1) + line(2)
    for (text, problem) in [
      (good + #"{"Loss/loss": {"num": 100, "me"#, "1 of 3 lines"), (good + line(1.5), "1 of 3 lines"),
      (good + "\n", "1 of 3 lines"), (good + line(3).replacing("1.0,", with: "NaN,"), "1 of 3 lines"),
      (good + line(3, loss: -1), "1 of 3 lines"), (good + line(3, loss: 1e300), "1 of 3 lines"),
      (good + line(3, count: 0), "1 of 3 lines"), (good + line(1e300), "1 of 3 lines"),
      (good + "[" + String(repeating: "[", count: 1000), "1 of 3 lines"),
      (good + #"{"a": ""# + String(repeating: "x", count: 1 << 17) + "\"}", "1 of 3 lines"),
      ("\u{0}\u{1}\n\n" + good, "2 of 4 lines"),
      (good + line(3, levels: (0..<40).map { ("\($0)-\($0 + 1)", 1, 1) }), "more than 16 noise levels"),
    ] {
      let log = log(text)
      #expect(log.problems.count == 1 && log.problems[0].contains(problem), "\(text.suffix(80)): \(log.problems)")
      #expect(log.stretches.count >= 2 && log.levels.count <= LossLog.mostLevels)
    }
    // Keys of other forms are nobody's business.
    let strange = log(
      line(1, levels: [("a-b", 1, 1), ("1-1", 1, 1), ("-1-2", 1, 1), ("nan-1", 1, 1), ("1e-2-3", 1, 1), ("", 1, 1)]))
    #expect(strange.levels.isEmpty && strange.problems.isEmpty && strange.stretches.count == 1)
    #expect(log("").stretches.isEmpty && log("").problems.isEmpty)
  }
}
