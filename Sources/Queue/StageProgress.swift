import Foundation

/// How far a stage is: a line of its `--progress-fd`.
package struct StageProgress: Sendable, Equatable, Decodable {
  package var done: Double
  package var total: Double
  package var unit: String
  package var rate: Double?
  package var etaSeconds: Double?

  enum CodingKeys: String, CodingKey {
    case done, total, unit, rate
    case etaSeconds = "eta_s"
  }

  /// - Parameters: as the properties.
  package init(done: Double, total: Double, unit: String, rate: Double? = nil, etaSeconds: Double? = nil) {
    (self.done, self.total, self.unit, self.rate, self.etaSeconds) = (done, total, unit, rate, etaSeconds)
  }

  /// From 0 to 100.
  package var percent: Double { total > 0 ? min(100, max(0, 100 * done / total)) : 0 }
}
