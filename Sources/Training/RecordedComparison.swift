import Diagnostics
import Foundation
import Models

/// How far one result of a replayed training is from its record.
public struct RecordedComparison: Sendable {
  /// What is compared.
  public let name: String
  /// How far it is: relative to the largest recorded loss, to the norm of the record, or to the distance that weights
  /// went.
  public let error: Double
  /// What is accepted.
  public let tolerance: Double
  /// Whether the error is within the tolerance.
  public var isAccepted: Bool { error <= tolerance }

  package init(name: String, error: Double, tolerance: Double) {
    (self.name, self.error, self.tolerance) = (name, error, tolerance)
  }

  /// What is accepted of weights that moved by less than rounding shows.
  private static let unmoved = 2e-6

  /// The distance of weights to recorded ones relative to how far training moved them; the largest distance where it moved them
  /// by less than rounding shows.
  ///
  /// Without the k part of `qkv.bias`: a constant added to all keys changes no attention, so its gradient is rounding noise,
  /// of which Adam makes whole steps.
  package init(
    weightsOf name: String, _ network: Network, from start: Network, _ recorded: RecordedWeights, tolerance: Double,
    path: String
  ) throws {
    var (error, update, largestError, largestUpdate) = (0.0, 0.0, 0.0, 0.0)
    for (index, specification) in network.specifications.enumerated() where specification.isTrainable {
      let expected = try recorded.tensor(specification.name).values
      let (values, before) = (network.stateDictTensor(index).values, start.stateDictTensor(index).values)
      try Self.requireCount(expected, values.count, "the final \"\(specification.name)\"", path: path)
      let hasKeys = specification.name.hasSuffix("qkv.bias")
      for i in expected.indices where !(hasKeys && i % 3 == 1) {
        let distance = Double(values[i]) - Double(expected[i])
        let move = Double(expected[i]) - Double(before[i])
        error += square(distance)
        update += square(move)
        (largestError, largestUpdate) = (max(largestError, abs(distance)), max(largestUpdate, abs(move)))
      }
    }
    if largestUpdate < Self.unmoved {
      self.init(name: "\(name) weights, largest error", error: largestError, tolerance: Self.unmoved)
    } else {
      self.init(
        name: "\(name) weights, error/update", error: error == 0 ? 0 : (error / update).squareRoot(),
        tolerance: tolerance)
    }
  }

  /// Refuses a record of another length than what it is compared with.
  package static func requireCount(_ values: [some Any], _ count: Int, _ name: String, path: String) throws {
    guard values.count == count else {
      throw Failure(.dataError, path, "\(name) has \(values.count) elements; \(count) are expected")
    }
  }

  /// Refuses a training that differs from its record.
  /// - Parameter path: the record's, for the error.
  /// - Throws: a `Failure` (`dataError`) where a result is beyond its tolerance.
  public static func requireAccepted(_ comparisons: [RecordedComparison], path: String) throws {
    let failed = comparisons.count { !$0.isAccepted }
    guard failed == 0 else {
      throw Failure(
        .dataError, path, "\(failed) of \(comparisons.count) results are beyond the tolerance",
        remedy: "the record belongs to another start or other settings, or the training here differs")
    }
  }

  /// One line for each: the error beside what is accepted.
  public static func table(_ comparisons: [RecordedComparison]) -> String {
    let width = comparisons.map(\.name.count).max() ?? 0
    func row(_ cells: [String]) -> String {
      cells[0].padding(toLength: max(width, 6), withPad: " ", startingAt: 0)
        + cells[1...2].map { String(repeating: " ", count: max(1, 11 - $0.count)) + $0 }.joined() + "  " + cells[3]
    }
    func figure(_ value: Double) -> String { String(format: "%.2g", value) }
    let lines = comparisons.map {
      row([$0.name, figure($0.error), figure($0.tolerance), $0.isAccepted ? "ok" : "BEYOND"])
    }
    return ([row(["result", "error", "tolerance", "verdict"])] + lines).joined(separator: "\n")
  }
}

private func square(_ x: Double) -> Double { x * x }

/// The L2 norm.
package func euclideanNorm(_ values: [Float]) -> Double {
  values.reduce(0) { $0 + square(Double($1)) }.squareRoot()
}

/// L2 norm of the difference over that of what was expected.
package func relativeDistance(_ values: [Double], _ expected: [Double]) -> Double {
  let difference = zip(values, expected).reduce(0) { $0 + square($1.0 - $1.1) }
  return difference == 0 ? 0 : (difference / expected.reduce(0) { $0 + square($1) }).squareRoot()
}
