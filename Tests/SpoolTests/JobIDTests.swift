import JobFolder
import Spool
import Testing

@Suite("Job IDs")
struct JobIDTests {
  @Test("are read back as they are written")
  func roundTrip() throws {
    let id = try #require(JobID("20261122T221500Z-my-job-2-7f3a"))
    #expect(id.stamp == "20261122T221500Z" && id.name == "my-job-2" && id.suffix == "7f3a")
    #expect(id.description == "20261122T221500Z-my-job-2-7f3a")
    #expect(id.reference == "my-job-2-7f3a")
  }

  @Test(
    "Other names are none",
    arguments: [
      "", "digits", "20261122T221500Z-7f3a", "20261122T221500Z--7f3a", "20261122T221500Z-Job-7f3a",
      "20261122T221500-job-7f3a",
      "20261122T221500Z-job-7f3", "20261122T221500Z-job-7F3A", "2026112XT221500Z-job-7f3a",
      ".20261122T221500Z-job-7f3a",
    ])
  func refuses(_ text: String) { #expect(JobID(text) == nil) }
}
