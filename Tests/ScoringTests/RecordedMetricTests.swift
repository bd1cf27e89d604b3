import Compute
import HDF5
import Scoring
import TestSupport
import Testing

/// The metrics against the numbers of the official programs.
@Suite struct RecordedMetricTests {
  init() { Threads.use(2) }

  static let names = ["a_500x64", "b_3000x256", "c_100x256_rank_deficient", "d_300x16"]

  @Test("Recorded kernel distances over recorded subsets hold to 1e-6", arguments: names)
  func kernelDistances(name: String) throws {
    let recorded = try RecordedDistances(name)
    let group = try recorded.group.group("kid_20_subsets_of_50")
    let places = try group.dataset("subset_indices_gen_then_ref").read(Int32.self).map { Int($0) }
    let values = (0..<20).map { subset in
      kernelDistance(
        recorded.x.gathered(Array(places[subset * 100..<subset * 100 + 50])),
        recorded.y.gathered(Array(places[subset * 100 + 50..<subset * 100 + 100])))
    }
    #expect(try abs(values.reduce(0, +) / 20 - group.dataset("value").read(Double.self)[0]) < 1e-6)
  }

  @Test(
    "Recorded kernel distances over numpy's subsets hold to 1e-6",
    arguments: [("a_500x64", 500), ("b_3000x256", 1000)])
  func largeSubsets(name: String, size: Int) throws {
    let recorded = try RecordedDistances(name)
    let group = try recorded.group.group("kid_100_subsets_of_\(size)")
    var random = NumpyRandomState(1007)
    let values = (0..<100).map { _ in
      let x = random.choice(recorded.x.shape[0], size)
      let y = random.choice(recorded.y.shape[0], size)
      return kernelDistance(recorded.x.gathered(x), recorded.y.gathered(y))
    }
    let mean = values.reduce(0, +) / 100
    #expect(try abs(mean - group.dataset("value").read(Double.self)[0]) < 1e-6)
    #expect(try abs(mean - group.dataset("value_float64").read(Double.self)[0]) < 1e-6)
  }

  @Test("Recorded Inception Scores hold", arguments: ["inception_score_a", "inception_score_b"])
  func inceptionScores(name: String) throws {
    let group = try HDF5File.open(Fixtures.path("golden/fid/distances.h5")).root.group(name)
    let logits = try group.dataset("logits")
    let rows = MemoryRows(Tensor(try logits.read(Float.self), shape: logits.shape))
    let score = try inceptionScore(rows, splits: try group.intAttribute("splits"))
    #expect(try abs(score.mean - group.dataset("mean").read(Double.self)[0]) < 1e-6)
    #expect(try abs(score.deviation - group.dataset("std").read(Double.self)[0]) < 1e-6)
  }

  @Test("Recorded precision and recall hold to 0.01", arguments: names)
  func precisionAndRecalls(name: String) throws {
    let recorded = try RecordedDistances(name)
    let rows = try recorded.group.intAttribute("precision_recall_uses_first_rows")
    let (precision, recall) = try precisionAndRecall(
      MemoryRows(recorded.x), MemoryRows(recorded.y), neighbour: 3, limit: rows)
    #expect(try abs(precision - recorded.number("precision_fp64_k3")) < 0.002)
    #expect(try abs(recall - recorded.number("recall_fp64_k3")) < 0.002)
    #expect(try abs(precision - recorded.number("precision_official_fp16_k3")) < 0.01)
    #expect(try abs(recall - recorded.number("recall_official_fp16_k3")) < 0.01)
  }
}
