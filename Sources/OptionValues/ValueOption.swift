import Files

/// An option of a stage program that takes a value: its name, what it takes, and how that becomes a value.
///
/// It is declared once, in this target. The program's parser reads the option through it, and the reader of job files checks
/// the same kind, so what one refuses the other does, in the same words.
public struct ValueOption<Value: Sendable>: Sendable {
  /// The option's name, without dashes.
  public let name: String
  /// What it takes.
  public let kind: ValueKind
  /// What holds where the option is not given; nil where the program says it, or nothing does.
  public let standard: Value?
  private let value: @Sendable (String) -> Value?

  init(_ name: String, _ kind: ValueKind, standard: Value? = nil, value: @escaping @Sendable (String) -> Value?) {
    self.name = name
    self.kind = kind
    self.standard = standard
    self.value = value
  }

  /// Reads a value.
  /// - Throws: `ValueProblem` where `text` is none.
  public func parse(_ text: String) throws(ValueProblem) -> Value {
    try kind.check(text)
    guard let value = value(text) else { throw ValueProblem(expected: kind.rule) }
    return value
  }
}

extension ValueOption where Value == Int {
  static func wholeNumber(_ name: String, _ range: ClosedRange<Int>, or other: Int? = nil) -> Self {
    Self(name, .wholeNumber(range, or: other)) { Int($0) }
  }
}

extension ValueOption where Value == UInt64 {
  static func seed(_ name: String) -> Self { Self(name, .seed) { UInt64($0) } }
}

extension ValueOption where Value == Double {
  static func number(_ name: String, _ range: NumberRange, standard: Double? = nil) -> Self {
    Self(name, .number(range, .double), standard: standard) { Double($0) }
  }
}

extension ValueOption where Value == Float {
  static func single(_ name: String, _ range: NumberRange) -> Self {
    Self(name, .number(range, .single)) { Float($0) }
  }
}

extension ValueOption where Value == String {
  static func text(_ name: String, _ kind: ValueKind = .text) -> Self { Self(name, kind) { $0 } }
  static func choice(_ name: String, _ names: [String]) -> Self { Self(name, .choice(names)) { $0 } }
}

extension ValueOption where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  static func choice(_ name: String, standard: Value) -> Self {
    Self(name, .choice(Value.allCases.map(\.rawValue)), standard: standard) { Value(rawValue: $0) }
  }
}

extension ValueOption where Value == [String] {
  static func choices(_ name: String, _ names: [String]) -> Self { Self(name, .choices(names), value: ValueKind.split) }
}

extension ValueOption where Value == [Int] {
  static func wholeNumbers(_ name: String, _ range: ClosedRange<Int>) -> Self {
    Self(name, .wholeNumbers(range)) { text in
      let parts = ValueKind.split(text)
      let numbers = parts.compactMap { Int($0) }
      return numbers.count == parts.count ? numbers : nil
    }
  }
}

extension ValueOption where Value == SeedList {
  static func seeds(_ name: String) -> Self { Self(name, .seeds(largest: .max)) { try? SeedList($0) } }
}

extension ValueOption where Value == ClassText {
  static func classes(_ name: String) -> Self { Self(name, .classes) { ClassText($0) } }
}

extension ValueOption where Value == WorkShare {
  static func share(_ name: String) -> Self { Self(name, .share) { WorkShare($0) } }
}

extension ValueOption where Value == ExpectedDigest {
  static func digest(_ name: String) -> Self { Self(name, .digest) { ExpectedDigest($0) } }
}

extension ValueOption where Value == PictureSize {
  static func pictureSize(_ name: String) -> Self { Self(name, .pictureSize) { PictureSize($0) } }
}

extension ValueOption where Value == ColourText {
  static func colour(_ name: String, standard: ColourText) -> Self {
    Self(name, .colour, standard: standard) { ColourText($0) }
  }
}
