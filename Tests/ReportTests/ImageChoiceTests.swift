import Report
import Testing

@Suite("The choice of images that are compared")
struct ImageChoiceTests {
  @Test("is all of them while they are few", arguments: [0, 1, 2, 9_999, 10_000])
  func few(_ total: Int) {
    let choice = ImageChoice(of: total, limit: 10_000)
    #expect(choice.count == total && choice.isAll)
    #expect(choice.ranges == (total > 0 ? [0..<total] : []))
  }

  @Test(
    "takes runs from all over the archive, no image twice, always the same",
    arguments: [
      (10_001, 10_000), (50_000, 10_000), (50_000_000, 10_000), (1 << 40, 10_000), (100, 7), (101, 100), (3, 2),
      (1_000, 1),
    ])
  func many(_ total: Int, _ limit: Int) {
    let choice = ImageChoice(of: total, limit: limit)
    #expect(choice == ImageChoice(of: total, limit: limit))
    #expect(choice.count <= limit && 10 * choice.count >= 9 * limit && !choice.isAll)
    var end = 0
    for (number, range) in choice.ranges.enumerated() {
      #expect(range.lowerBound >= end && range.upperBound <= total)
      end = range.upperBound
      // One in each part of equal size.
      let runs = choice.ranges.count
      #expect(range.lowerBound >= total * number / runs && range.upperBound <= total * (number + 1) / runs)
    }
    let places = (0..<min(choice.count, 500)).map { choice.place($0) }
    #expect(places == Array(choice.ranges.joined().prefix(500)))
    #expect(choice.ranges.count <= 100 || limit < 1_000, "as many shards may have to be opened")
  }

  @Test("is not in step with classes that alternate")
  func classes() {
    let choice = ImageChoice(of: 50_000, limit: 10_000)
    var counts = [Int](repeating: 0, count: 10)
    for place in choice.ranges.joined() { counts[place % 10] += 1 }
    #expect(counts.allSatisfy { $0 == 1_000 })
  }
}
