import Compute
import Diagnostics
import Scoring
import Testing

@Suite struct FrechetDistanceTests {
  init() { Threads.use(2) }

  private func moments(_ features: Tensor) -> FeatureMoments {
    var moments = FeatureMoments(featureCount: features.shape[1])
    moments.add(features)
    return moments
  }

  /// Divided by N instead of N - 1.
  private func biased(_ moments: FeatureMoments) -> (mean: [Double], covariance: [Double]) {
    let (mean, covariance) = moments.statistics()
    return (mean, covariance.map { $0 * Double(moments.count - 1) / Double(moments.count) })
  }

  @Test("Recorded distances of full rank hold to 1e-8", arguments: ["a_500x64", "b_3000x256", "d_300x16"])
  func fullRank(name: String) throws {
    let sets = try RecordedDistances(name)
    let group = sets.group
    let (x, y) = (moments(sets.x), moments(sets.y))
    let distance = try frechetDistance(x.statistics(), y.statistics())
    for record in [
      "fid_edm_official_unbiased_cov", "fid_pytorch_fid_unbiased_cov", "fid_symmetric_eigenvalues_unbiased_cov",
    ] {
      let recorded = try group.dataset(record).read(Double.self)[0]
      #expect(abs(distance / recorded - 1) < 1e-8, "\(record)")
    }
    let official = try group.dataset("fid_sid_official_biased_cov").read(Double.self)[0]
    #expect(try abs(frechetDistance(biased(x), biased(y)) / official - 1) < 1e-8)
    #expect(try abs(frechetDistance(y.statistics(), x.statistics()) / distance - 1) < 1e-10)
  }

  @Test(
    "Recorded means and covariances hold",
    arguments: ["a_500x64", "b_3000x256", "c_100x256_rank_deficient", "d_300x16"])
  func recordedMoments(name: String) throws {
    let sets = try RecordedDistances(name)
    let group = sets.group
    for (set, features) in [("x", sets.x), ("y", sets.y)] {
      let (mean, covariance) = moments(features).statistics()
      let expectedMean = try group.dataset("mu_\(set)").read(Double.self)
      #expect(zip(mean, expectedMean).allSatisfy { abs($0 - $1) < 1e-10 })
      let key = group.contains("sigma_\(set)_unbiased") ? "sigma_\(set)_unbiased" : "sigma_\(set)_unbiased_first_8_rows"
      let expected = try group.dataset(key).read(Double.self)
      #expect(zip(covariance, expected).allSatisfy { abs($0 - $1) < 1e-10 })
    }
  }

  @Test("Fewer images than features: the distance holds to 1e-5, and the rank is found")
  func rankDeficient() throws {
    let name = "c_100x256_rank_deficient"
    let sets = try RecordedDistances(name)
    let group = sets.group
    let (x, y) = (moments(sets.x), moments(sets.y))
    let recorded = try group.dataset("fid_symmetric_eigenvalues_unbiased_cov").read(Double.self)[0]
    #expect(try abs(frechetDistance(x.statistics(), y.statistics()) - recorded) < 1e-5)
    let official = try group.dataset("fid_edm_official_unbiased_cov").read(Double.self)[0]
    #expect(try abs(frechetDistance(x.statistics(), y.statistics()) - official) < 1e-5)
    let biasedRecord = try group.dataset("fid_symmetric_eigenvalues_biased_cov").read(Double.self)[0]
    #expect(try abs(frechetDistance(biased(x), biased(y)) - biasedRecord) < 1e-5)
    #expect(try covarianceRank(x.statistics().covariance, size: 256) == 99)
  }

  @Test("Cases with a known answer")
  func analytic() throws {
    // Commuting covariances: |m1 - m2|^2 + sum of (sqrt(s1) - sqrt(s2))^2.
    let a = (mean: [1.0, 2], covariance: [4.0, 0, 0, 9])
    let b = (mean: [0.0, 4], covariance: [1.0, 0, 0, 16])
    #expect(try abs(frechetDistance(a, b) - (1 + 4 + 1 + 1)) < 1e-12)
    #expect(try abs(frechetDistance(a, a)) < 1e-12)
    let point = (mean: [1.0, 2], covariance: [0.0, 0, 0, 0])
    #expect(try frechetDistance(a, point) == 13)
    #expect(try frechetDistance(point, point) == 0)
    // Degenerate distributions in different directions share no variance.
    let flat = (mean: [1.0, 2], covariance: [4.0, 0, 0, 0])
    let upright = (mean: [1.0, 2], covariance: [0.0, 0, 0, 9])
    #expect(try abs(frechetDistance(flat, upright) - 13) < 1e-12)
  }

  @Test("Numbers that are not finite are refused", arguments: [Double.nan, .infinity])
  func notFinite(value: Double) throws {
    let good = (mean: [1.0], covariance: [1.0])
    #expect(throws: Failure.self) { try frechetDistance(good, (mean: [value], covariance: [1])) }
    #expect(throws: Failure.self) { try frechetDistance((mean: [1], covariance: [value]), good) }
  }

  @Test("How rows are handed over does not change a bit; large means cost no accuracy")
  func moments() throws {
    let features = FormulaFeatures.make(tag: "moments", rows: 1300, columns: 5, shift: 1, scale: 1)
    let whole = moments(features)
    var pieces = FeatureMoments(featureCount: 5)
    for start in stride(from: 0, to: 1300, by: 77) { pieces.add(features.rows(start..<min(start + 77, 1300))) }
    #expect(pieces == whole)
    #expect(pieces.statistics().covariance == whole.statistics().covariance)
    #expect(whole.count == 1300)

    var repeated = FeatureMoments(featureCount: 5)
    repeated.add(features.rows(0..<3), repetitions: [2, 0, 1])
    var spelled = FeatureMoments(featureCount: 5)
    for row in [0, 0, 2] { spelled.add(features.rows(row..<row + 1)) }
    #expect(repeated == spelled)

    let far = Tensor(features.values.map { ($0 * 1024).rounded() / 1024 + 4096 }, shape: [1300, 5])
    let near = Tensor(far.values.map { $0 - 4096 }, shape: [1300, 5])
    let (a, b) = (moments(far).statistics().covariance, moments(near).statistics().covariance)
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-11 })
  }
}
