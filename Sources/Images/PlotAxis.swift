import Foundation

/// One axis of a plot: where values stand on it and where its labels do.
package struct PlotAxis: Sendable {
  /// Whether equal ratios, not equal differences, take equal space.
  package let isLogarithmic: Bool
  /// The values at its two ends.
  package let low: Double
  package let high: Double
  /// Labeled values.
  package let ticks: [Double]

  /// An axis that holds all `values` with a little air. A logarithmic one leaves out what is not positive.
  package init(values: [Double], isLogarithmic: Bool, targetTicks: Int) {
    let usable = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
    self.isLogarithmic = isLogarithmic
    var low = usable.min() ?? (isLogarithmic ? 0.1 : 0)
    var high = usable.max() ?? 1
    if isLogarithmic {
      if high < low * 1.2 { (low, high) = (low / 1.5, high * 1.5) }
      let air = pow(high / low, 0.08)
      (low, high) = (low / air, high * air)
      ticks = Self.logarithmicTicks(low, high)
    } else {
      if high == low { (low, high) = (low - 0.5, high + 0.5) }
      ticks = Self.linearTicks(low, high, target: targetTicks)
    }
    self.low = low
    self.high = high
  }

  /// Where a value stands, 0 at the low end and 1 at the high end.
  package func position(_ value: Double) -> Double {
    isLogarithmic ? log(value / low) / log(high / low) : (value - low) / (high - low)
  }

  /// Whether a value has a place on the axis.
  package func contains(_ value: Double) -> Bool { value.isFinite && value >= low && value <= high }

  /// A tick's label: short, without a power of ten until there has to be one.
  package static func label(_ value: Double) -> String {
    if value != 0, abs(value) >= 1e5 || abs(value) < 1e-3 { return String(format: "%.0e", value) }
    return String(format: "%.6g", value)
  }

  /// Multiples of 1, 2 or 5 times a power of ten, about `target` of them.
  private static func linearTicks(_ low: Double, _ high: Double, target: Int) -> [Double] {
    let rough = (high - low) / Double(max(target, 1))
    let power = pow(10, floor(log10(rough)))
    let step = ([1, 2, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10) * power
    // Adding 0 below turns -0 into 0.
    let first = (low / step - 1e-9).rounded(.up)
    let last = (high / step + 1e-9).rounded(.down)
    return first <= last ? stride(from: first, through: last, by: 1).map { $0 * step + 0 } : []
  }

  /// Powers of ten, and between them 2 and 5, or every digit, where the range is short.
  private static func logarithmicTicks(_ low: Double, _ high: Double) -> [Double] {
    let decades = log10(high / low)
    let digits: [Double] = decades > 4 ? [1] : decades > 0.7 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]
    let powers = Int(floor(log10(low)))...Int(floor(log10(high)))
    return powers.flatMap { power in digits.map { $0 * pow(10, Double(power)) } }.filter { $0 >= low && $0 <= high }
  }
}
