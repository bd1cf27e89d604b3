import Foundation

/// The Frechet distance of the average's one-step samples, as the training goes on.
struct Curve: Codable {
  /// One evaluation.
  struct Point: Codable {
    /// Thousands of images seen.
    var kimg: Double
    /// Seconds of training so far; nil where a file must not depend on them.
    var seconds: Double?
    /// The Frechet distance.
    var fd: Double
  }

  var points: [Point] = []

  /// The point with the smallest distance, the first of equals.
  var best: Point? { points.min { $0.fd < $1.fd } }

  /// The same points without the time they took: what is left is the same in every run.
  var withoutTimes: Curve {
    var curve = self
    for index in curve.points.indices { curve.points[index].seconds = nil }
    return curve
  }

  init() {}

  init?(json: String) {
    guard let value = try? JSONDecoder().decode(Curve.self, from: Data(json.utf8)) else { return nil }
    self = value
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
