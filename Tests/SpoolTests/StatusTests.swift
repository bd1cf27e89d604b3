import Foundation
import JobFolder
import Testing

@Suite("What is written of a job")
struct StatusTests {
  @Test("a time is the same however often it is read and written")
  func times() throws {
    for millisecond in 0..<1000 {
      let digits = String(millisecond)
      let text = "2026-11-28T11:17:26.\(String(repeating: "0", count: 3 - digits.count))\(digits)Z"
      #expect(StatusJSON.text(try #require(StatusJSON.date(text))) == text)
    }
  }

  @Test("the heading of an attempt is read as it was written, and nothing else is one")
  func headings() throws {
    let heading = StepLogHeading(
      date: Date(timeIntervalSince1970: 1_795_385_700), program: "sid-sample", attempt: 3)
    #expect(heading.line == "# 2026-11-22T22:15:00Z sid-sample, attempt 3")
    #expect(StepLogHeading(heading.line) == heading)
    let log = "# 2 images\n\(heading.line)\nsid-sample: it is so, attempt 4\n# 2026-11-22T22:15:00Z\n"
    #expect(StepLogHeading.all(in: log) == [heading])
    for line in [
      "2026-11-22T22:15:00Z sid-sample, attempt 3", "# 2026-11-22T22:15:00Z sid-sample attempt 3",
      "# 2026-11-22T22:15:00Z sh, attempt 3", "# 2026-11-22T22:15:00Z sid-sample, attempt x", "",
    ] { #expect(StepLogHeading(line) == nil, "\(line)") }
  }
}
