import Foundation

/// How far a figure varies over sets of images, as the record of the step that measured it tells: beside the figure X, the
/// mean over the sets, stands the figure `X_spread`, and `metrics` tells the figure of each set.
///
/// Whoever shows figures shows the two as one: "0.242 ± 0.011 (4 sets of 5,000)". A figure that has such a name only because a
/// user chose it belongs to no other.
public struct FigureSpread: Sendable, Equatable {
  /// The sample standard deviation over the sets, in the figure's unit.
  public let value: Double
  /// The number of sets.
  public let setCount: Int
  /// The number of images of each; nil where the record does not say.
  public let imageCount: Int?

  /// The field of a figure's `metrics` that lists the figure of each set.
  public static let setsField = "sets"

  /// The name of the figure that is the spread of another.
  public static func name(of figure: String) -> String { figure + "_spread" }

  /// Looks for the spread of a figure.
  ///
  /// - Parameters:
  ///   - figure: the figure's name.
  ///   - figures: all figures of the step.
  ///   - metrics: what the step's record tells of each figure beside its value, by name.
  /// - Returns: nil where the figure is no mean over sets.
  public init?(of figure: String, in figures: [String: JSONValue], metrics: JSONValue?) {
    guard figures[figure]?.realValue != nil, let value = figures[Self.name(of: figure)]?.realValue,
      let metric = metrics?[figure], let sets = metric[Self.setsField]?.arrayValue, sets.count >= 2
    else { return nil }
    self.value = value
    setCount = sets.count
    imageCount = metric["images"]?.integerValue
  }

  /// Looks for the spread of a figure in the summary of a job.
  ///
  /// - Parameters:
  ///   - figure: the figure's name.
  ///   - summary: the content of `summary.json`.
  /// - Returns: nil where the summary's figure and its spread are not those of one step.
  public init?(of figure: String, inSummary summary: [String: JSONValue]) {
    let spread = Self.name(of: figure)
    guard let value = summary[figure], summary[spread] != nil else { return nil }
    for step in (summary["steps"]?.objectValue ?? [:]).values {
      guard let figures = step["figures"]?.objectValue, figures[figure] == value, figures[spread] == summary[spread],
        let found = Self(of: figure, in: figures, metrics: step["metrics"])
      else { continue }
      self = found
      return
    }
    return nil
  }

  /// What it was taken over: "4 sets of 5,000".
  public var sets: String {
    "\(setCount) sets" + (imageCount.map { " of \($0.formatted(.number.locale(Locale(identifier: "en_US"))))" } ?? "")
  }

  /// The figure and its spread as they are shown: the spread to two digits, the figure to as many decimals.
  ///
  /// - Parameters:
  ///   - figure: the figure.
  ///   - number: writes numbers that are very large, very small, or not finite, and those without a spread.
  public func shown(_ figure: Double, number: (Double) -> String) -> (figure: String, spread: String) {
    guard value >= 1e-4, value.isFinite, abs(figure) < 1000, abs(figure) >= 1e-4 || figure == 0 else {
      return (number(figure), number(value))
    }
    // What rounds up to the next power of ten has a digit more: 0.0996 is shown as 0.100.
    let decimals = max(0, 1 - Int(log10(value).rounded(.down)))
    return (String(format: "%.\(decimals)f", figure), String(format: "%.\(decimals)f", value))
  }
}
