import Foundation
import Stage
import Synchronization
import Testing

@Suite("Progress")
struct ProgressTests {
  /// What a reporter wrote, and the time it believes it is.
  final class Recorder: Sendable {
    let lines = Mutex<[(text: String, descriptor: Int32)]>([])
    let now = Mutex(0.0)

    func reporter(total: Int, style: ProgressStyle, alreadyDone: Int = 0) -> ProgressReporter {
      ProgressReporter(
        stage: "sample", total: total, unit: "images", alreadyDone: alreadyDone, descriptor: 9, style: style,
        write: { text, descriptor in self.lines.withLock { $0.append((text, descriptor)) } },
        clock: { self.now.withLock { $0 } })
    }

    func advance(_ seconds: Double) { now.withLock { $0 += seconds } }
    func texts(_ descriptor: Int32) -> [String] {
      lines.withLock { $0.filter { $0.descriptor == descriptor }.map(\.text) }
    }
  }

  @Test("A JSON line has the promised keys, and images of an earlier run do not count for the rate")
  func json() throws {
    let recorder = Recorder()
    let progress = recorder.reporter(total: 100, style: .lines, alreadyDone: 40)
    recorder.advance(2)
    progress.update(done: 60, metrics: ["loss": 0.5, "broken": .nan])
    let line = try #require(recorder.texts(9).first)
    #expect(line.hasSuffix("\n") && line.filter { $0 == "\n" }.count == 1)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(Set(object.keys) == ["stage", "done", "total", "unit", "rate", "eta_s", "metrics"])
    #expect(object["done"] as? Int == 60)
    #expect(object["rate"] as? Double == 10)
    #expect(object["eta_s"] as? Double == 4)
    #expect(object["metrics"] as? [String: Double] == ["loss": 0.5])
  }

  @Test("Fast updates are thinned out, the last one is not lost")
  func thinning() {
    let recorder = Recorder()
    let progress = recorder.reporter(total: 1000, style: .lines)
    for done in 1...1000 {
      recorder.advance(0.001)
      progress.update(done: done)
    }
    progress.finish()
    progress.finish()
    #expect(recorder.texts(STDERR_FILENO).count == 2)
    #expect(recorder.texts(9).count <= 7)
    #expect(recorder.texts(STDERR_FILENO).last?.hasPrefix("sample 1000/1000 images (100 %), 1000.0 images/s") == true)
  }

  @Test("The bar fits the terminal and ends with a line break")
  func bar() {
    let recorder = Recorder()
    let progress = recorder.reporter(total: 200, style: .bar(columns: 80))
    recorder.advance(10)
    progress.update(done: 50)
    progress.finish()
    let texts = recorder.texts(STDERR_FILENO)
    #expect(texts.first?.contains("sample 50/200 images (25 %)  5.0 images/s  30 s left") == true)
    #expect(texts.allSatisfy { $0.replacing("\r\u{1B}[K", with: "").count <= 80 })
    #expect(texts.last?.hasSuffix("\n") == true)
  }
}
