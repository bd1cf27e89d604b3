import Foundation

/// What was measured of the average's one-step samples, as the training went on.
public struct EvaluationCurve: Codable, Sendable, Equatable {
  /// One evaluation.
  public struct Point: Codable, Sendable, Equatable {
    /// Thousands of images seen.
    public var kimg: Double
    /// Seconds of training and evaluating so far; nil where a file must not depend on them.
    public var seconds: Double?
    /// The Frechet distance.
    public var fd: Double
    /// What else was measured, by the names of the figures; nil where nothing else was asked for.
    public var others: [String: Double]?

    /// - Parameters: as the properties.
    public init(kimg: Double, seconds: Double? = nil, fd: Double, others: [String: Double]? = nil) {
      (self.kimg, self.seconds, self.fd, self.others) = (kimg, seconds, fd, others)
    }
  }

  /// In the order of the training.
  public var points: [Point] = []

  /// No evaluation yet.
  public init() {}

  /// The point with the smallest distance, the first of equals.
  public var best: Point? { points.min { $0.fd < $1.fd } }

  /// The same points without the time they took: what is left is the same in every run.
  public var withoutTimes: EvaluationCurve {
    var curve = self
    for index in curve.points.indices { curve.points[index].seconds = nil }
    return curve
  }

  /// Reads the text back; nil if it is no curve.
  public init?(json: String) {
    guard let value = try? JSONDecoder().decode(EvaluationCurve.self, from: Data(json.utf8)) else { return nil }
    self = value
  }

  /// One line, keys sorted.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
