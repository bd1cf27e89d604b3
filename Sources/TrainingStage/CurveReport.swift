import Foundation
import Images
import Records
import Scoring
import Stage
import Training

extension EvaluationCurve.Point {
  /// One evaluation; the first score is the Frechet distance.
  init(_ scores: [Score], kimg: Double, seconds: Double) {
    var others: [String: Double] = [:]
    for score in scores.dropFirst() {
      others[score.figure] = score.value
      if let uncertainty = score.uncertainty {
        others["\(score.figure)_\(uncertainty.kind.rawValue)"] = uncertainty.value
      }
    }
    self.init(
      kimg: kimg, seconds: seconds, fd: scores.first?.value ?? .nan, others: others.isEmpty ? nil : others)
  }

  /// For the JSON beside the output.
  var summary: JSONValue {
    var fields = others?.mapValues { JSONValue.double($0) } ?? [:]
    fields["kimg"] = .double(kimg)
    fields["seconds"] = .double(seconds ?? 0)
    fields["fd"] = .double(fd)
    return .object(fields)
  }
}

extension EvaluationCurve {
  /// The curve on log-log axes, and the line through its falling part.
  func plot(_ fit: PowerLawFit?, _ names: TrainingNames) -> LinePlot {
    var series = [LinePlot.Series(names.seriesTitle, points.map { ($0.kimg, $0.fd) })]
    if let fit {
      let ends = [fit.kimg.lowerBound, fit.kimg.upperBound].map { (x: $0, y: fit.distance(atKimg: $0)) }
      series.append(.init(String(format: "slope %.2f", fit.slope), ends, isFit: true))
    }
    // Without a point beyond the start there is nothing to see on a logarithmic axis.
    return LinePlot(
      title: names.plotTitle, xLabel: "thousands of images", yLabel: "Frechet distance",
      series: series, logarithmicX: points.contains { $0.kimg > 0 })
  }
}

extension PowerLawFit {
  /// What it says, for a person.
  var sentence: String {
    String(
      format: "the Frechet distance falls as kimg^%.2f from %g to %g kimg (%d evaluations, R2 %.3f)", slope,
      kimg.lowerBound, kimg.upperBound, pointCount, determination)
  }

  /// For the JSON beside the output.
  var summary: JSONValue {
    [
      "definition": .string(Self.definition), "slope": .double(slope),
      "fd_at_1_kimg": .double(distanceAtOneKimg), "r_squared": .double(determination), "points": .int(pointCount),
      "from_kimg": .double(kimg.lowerBound), "to_kimg": .double(kimg.upperBound),
    ]
  }
}
