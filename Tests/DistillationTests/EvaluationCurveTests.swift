import Distillation
import Foundation
import Testing
import Training

@Suite("The curve of evaluations")
struct EvaluationCurveTests {
  private func curve(_ points: [(kimg: Double, fd: Double)]) -> EvaluationCurve {
    var curve = EvaluationCurve()
    curve.points = points.map { .init(kimg: $0.kimg, seconds: 1, fd: $0.fd) }
    return curve
  }

  @Test("A power law is found exactly, whatever comes before its falling part and after it")
  func exact() throws {
    let falling = [2.0, 4, 8, 16].map { (kimg: $0, fd: 60 * pow($0, -0.75)) }
    let fit = try #require(
      PowerLawFit(curve([(0, 500), (1, 20)] + falling + [(20, 8), (32, 30), (64, .nan)])))
    #expect(abs(fit.slope + 0.75) < 1e-12 && abs(fit.distanceAtOneKimg - 60) < 1e-9)
    #expect(abs(fit.determination - 1) < 1e-12 && fit.kimg == 2...16 && fit.pointCount == 4)
    #expect(abs(fit.distance(atKimg: 100) - 60 * pow(100, -0.75)) < 1e-9)
  }

  @Test("The line is that of least squares")
  func leastSquares() throws {
    // log2: (0, 3), (1, 2), (2, 2), (3, 0); slope -0.9, mean (1.5, 1.75), R2 = 4.5^2 / (5 * 4.75).
    let fit = try #require(PowerLawFit(curve([(1, 8), (2, 4), (4, 4), (8, 1)])))
    #expect(abs(fit.slope + 0.9) < 1e-12)
    #expect(abs(log2(fit.distanceAtOneKimg) - 3.1) < 1e-12)
    #expect(abs(fit.determination - 20.25 / 23.75) < 1e-12)
    #expect(PowerLawFit(curve([(8, 1), (2, 4), (1, 8), (4, 4)])) == fit, "the order of the points does not matter")
  }

  @Test(
    "Fewer than three points that fall have no slope",
    arguments: [[], [(1.0, 3.0)], [(0, 9), (1, 3), (2, 2)], [(1, 1), (2, 2), (3, 3)], [(1, 2), (2, 2), (3, 2)]])
  func tooFew(points: [(Double, Double)]) {
    #expect(PowerLawFit(curve(points.map { (kimg: $0.0, fd: $0.1) })) == nil)
  }

  @Test("It reads back from its text with everything that was measured; old texts have no other figures")
  func text() throws {
    var curve = curve([(0, 3), (1, 2)])
    curve.points[1].others = ["kid": 0.5, "kid_standard_deviation": 0.1]
    #expect(try #require(EvaluationCurve(json: curve.json)) == curve)
    #expect(curve.best?.kimg == 1 && curve.withoutTimes.points.allSatisfy { $0.seconds == nil })
    let old = EvaluationCurve(json: #"{"points":[{"fd":2.5,"kimg":1}]}"#)
    #expect(old?.points == [.init(kimg: 1, fd: 2.5)])
    #expect(EvaluationCurve(json: "[]") == nil)
  }
}
