/// Which numbers an option takes; never one that is not a number.
public struct NumberRange: Sendable, Equatable {
  private var lower = -Double.infinity
  private var upper = Double.infinity
  private var includesLower = true
  private var includesUpper = true
  private var includesInfinity = false

  /// Every finite number.
  public static let finite = NumberRange()

  /// Finite numbers greater than `lower`.
  public static func above(_ lower: Double, orInfinite: Bool = false) -> NumberRange {
    NumberRange(lower: lower, includesLower: false, includesInfinity: orInfinite)
  }

  /// Finite numbers from `lower` on.
  public static func atLeast(_ lower: Double, orInfinite: Bool = false) -> NumberRange {
    NumberRange(lower: lower, includesInfinity: orInfinite)
  }

  /// Numbers greater than `lower` and not greater than `upper`.
  public static func above(_ lower: Double, to upper: Double) -> NumberRange {
    NumberRange(lower: lower, upper: upper, includesLower: false)
  }

  /// Numbers between both ends, the ends included.
  public static func from(_ lower: Double, to upper: Double) -> NumberRange { NumberRange(lower: lower, upper: upper) }

  /// Numbers from `lower` on that are less than `upper`.
  public static func from(_ lower: Double, below upper: Double) -> NumberRange {
    NumberRange(lower: lower, upper: upper, includesUpper: false)
  }

  func contains(_ number: Double) -> Bool {
    guard number.isFinite else { return includesInfinity && number == .infinity }
    return (includesLower ? number >= lower : number > lower) && (includesUpper ? number <= upper : number < upper)
  }

  /// Its ends in words; nil for every finite number.
  var words: String? {
    let low = "\(includesLower ? (upper.isFinite ? "from" : "of at least") : "above") \(Self.text(lower))"
    let high =
      upper.isFinite ? "\(includesLower ? " to" : ", at most")\(includesUpper ? "" : " below") \(Self.text(upper))" : ""
    return lower.isFinite ? low + high + (includesInfinity ? ", or inf" : "") : nil
  }

  private static func text(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }
}
