import Distillation
import TestSupport
import Testing
import TrainingData

@Suite("Labels in the order of a data set")
struct DatasetLabelTests {
  @Test("The walk visits a data set in the official sampler's order", arguments: [(0, 16), (3, 10)])
  func officialOrder(seed: Int, count: Int) throws {
    let expected = try Recorded("golden/dataset/decoded_pixels.h5").numbers(
      "infinite_sampler/seed\(seed)_n\(count)_first64"
    ).map(Int.init)
    var walk = ShuffledWalk(count: count, seed: UInt64(seed))
    #expect(walk.indices(0..<64) == expected)
    #expect(walk.indices(10..<20) == Array(expected[10..<20]), "going back")
    #expect(walk.indices(40..<64) == Array(expected[40..<64]), "skipping")
  }

  @Test("Each iteration takes a batch for the fake score and then one for the generator")
  func phases() {
    let labels = DatasetLabels(Array(0..<10), classes: 10, batch: 4, seed: 3)
    var walk = ShuffledWalk(count: 10, seed: 3)
    let expected = walk.indices(0..<16)
    func classes(_ phase: DistillationPhase, _ seen: Int, _ images: Range<Int>) -> [Int] {
      let values = labels.labels(phase, imagesSeen: seen, images: images)?.values ?? []
      return stride(from: 0, to: values.count, by: 10).map { row in values[row..<row + 10].firstIndex(of: 1)! - row }
    }
    #expect(classes(.fakeScore, 0, 0..<4) == Array(expected[0..<4]))
    #expect(classes(.generator, 0, 0..<2) == Array(expected[4..<6]))
    #expect(classes(.generator, 0, 2..<4) == Array(expected[6..<8]))
    #expect(classes(.fakeScore, 4, 0..<4) == Array(expected[8..<12]))
  }
}
