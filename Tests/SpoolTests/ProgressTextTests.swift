import Diagnostics
import JobFolder
import Foundation
import Spool
import Testing

@Suite("Progress in one line")
struct ProgressTextTests {
  private var status: JobStatus {
    var status = JobStatus(job: "j", id: "i", state: .active, accepted: Date(timeIntervalSince1970: 0))
    (status.percent, status.done, status.total, status.unit) = (40, 24576, 61440, "images")
    (status.rate, status.etaSeconds) = (98.7, 373)
    return status
  }

  @Test("is a bar as wide as the terminal has room")
  func bar() {
    #expect(
      ProgressText.bar("generator", status, columns: 100)
        == "generator  [" + String(repeating: "#", count: 16) + String(repeating: "-", count: 24)
        + "]   40 %  24576/61440 images  98.7/s  6:13 left")
    for columns in 1...120 { #expect(ProgressText.bar("generator", status, columns: columns).count < max(columns, 2)) }
  }

  @Test("is a sentence elsewhere")
  func plain() {
    #expect(ProgressText.plain("generator", status) == "generator: 40 %, 24576/61440 images  98.7/s  6:13 left")
  }

  @Test("has durations that are short at any length")
  func durations() {
    #expect(
      [0, 7.4, 373, 3720, 180_000, 273_600].map(DurationText.clock) == [
        "0:00", "0:07", "6:13", "1:02:00", "2 d 2 h", "3 d 4 h",
      ])
    #expect(DurationText.clock(.infinity) == "?" && DurationText.clock(-1) == "?")
  }
}
