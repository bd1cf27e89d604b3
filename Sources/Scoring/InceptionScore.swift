import Compute
import Diagnostics
import Foundation

/// The Inception Score over splits.
public struct InceptionScoreMetric: MetricDefinition, Equatable {
  /// Splits.
  public var splits = 10

  /// The defaults.
  public init() {}

  var needs: MetricNeeds { .scores }

  func scores(of measurement: Measurement) throws -> [Score] {
    let scores = try measurement.classScores(for: .inceptionScore)
    try measurement.require(scores.count >= splits, "an Inception Score of \(splits) splits needs as many images")
    let result = try inceptionScore(scores, splits: splits)
    var score = measurement.score(
      "is", result.mean,
      "Inception Score exp(mean KL(p(y|x) || p(y))) over \(scores.width) classes, mean over \(splits) consecutive splits "
        + "of \(measurement.images)")
    score.referenceImageCount = nil
    score.uncertainty = Score.Uncertainty(
      kind: .standardDeviation, value: result.deviation, origin: "standard deviation over the \(splits) splits")
    return [score]
  }
}

/// The Inception Score: exp of the mean divergence of an image's class probabilities from those of its split (Salimans et
/// al. 2016, arXiv 1606.03498).
///
/// Split i holds the rows from i n / splits on. The mean divergence is taken as the mean of sum p log p minus sum q log q
/// with q the mean of p, so that one pass suffices.
///
/// - Parameters:
///   - scores: class scores before the softmax, one row an image.
///   - splits: how many.
/// - Returns: mean and standard deviation (divided by their number) over the splits.
package func inceptionScore(_ scores: any FeatureRows, splits: Int) throws -> (mean: Double, deviation: Double) {
  precondition(splits > 0 && scores.count >= splits, "\(splits) splits of \(scores.count) images")
  let classes = scores.width
  let values = try (0..<splits).map { split in
    let range = (split * scores.count / splits)..<((split + 1) * scores.count / splits)
    var mean = [Double](repeating: 0, count: classes)
    var negativeEntropy = 0.0
    for first in stride(from: range.lowerBound, to: range.upperBound, by: 512) {
      try Interruption.check()
      let block = try scores.rows(first..<min(first + 512, range.upperBound))
      let values = block.values
      for row in 0..<block.shape[0] {
        let logits = values[row * classes..<(row + 1) * classes].map(Double.init)
        let top = logits.max() ?? 0
        let total = logits.reduce(0) { $0 + exp($1 - top) }
        for (index, logit) in logits.enumerated() {
          let probability = exp(logit - top) / total
          mean[index] += probability
          if probability > 0 { negativeEntropy += probability * (logit - top - log(total)) }
        }
      }
    }
    let count = Double(range.count)
    let marginal = mean.reduce(0) { $1 > 0 ? $0 + $1 / count * log($1 / count) : $0 }
    return exp(negativeEntropy / count - marginal)
  }
  return meanAndDeviation(values)
}
