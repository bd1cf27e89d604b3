import ArgumentParser
import OptionValues

// Options that are declared in `OptionValues`: name, syntax and range come from there, default and limits go into the help.

extension Option where Value: Sendable {
  /// An option with a default of the program's.
  public init(wrappedValue: Value, _ option: ValueOption<Value>, help: ArgumentHelp) {
    self.init(
      wrappedValue: wrappedValue, name: .customLong(option.name), parsing: option.kind.parsing,
      help: help.with(option.kind, standard: wrappedValue), transform: option.parse)
  }

  /// An option with the default that is declared; without one it has to be given.
  public init(_ option: ValueOption<Value>, help: ArgumentHelp) {
    if let standard = option.standard {
      self.init(wrappedValue: standard, option, help: help)
    } else {
      self.init(
        name: .customLong(option.name), parsing: option.kind.parsing,
        help: help.with(option.kind, standard: Value?.none), transform: option.parse)
    }
  }
}

extension Option {
  /// An option that may be left out.
  public init<T: Sendable>(_ option: ValueOption<T>, help: ArgumentHelp) where Value == T? {
    self.init(
      name: .customLong(option.name), parsing: option.kind.parsing, help: help.with(option.kind, standard: T?.none),
      transform: option.parse)
  }

  /// An option that may be repeated.
  public init<T: Sendable>(wrappedValue: [T], repeating option: ValueOption<T>, help: ArgumentHelp) where Value == [T] {
    self.init(
      wrappedValue: wrappedValue, name: .customLong(option.name), help: help.with(option.kind, standard: T?.none),
      transform: option.parse)
  }

  /// An option that may be left out and names a case of another module's.
  public init<T: RawRepresentable<String> & Sendable>(_ option: ValueOption<String>, as _: T.Type, help: ArgumentHelp)
  where Value == T? {
    self.init(
      name: .customLong(option.name), help: help.with(option.kind, standard: String?.none),
      transform: { try option.parse($0, as: T.self) })
  }

  /// An option that has to be given and names a case of another module's.
  public init(_ option: ValueOption<String>, as _: Value.Type, help: ArgumentHelp)
  where Value: RawRepresentable<String> & Sendable {
    self.init(
      name: .customLong(option.name), help: help.with(option.kind, standard: String?.none),
      transform: { try option.parse($0, as: Value.self) })
  }

  /// An option that may be repeated and names cases of another module's.
  public init<T: RawRepresentable<String> & Sendable>(
    wrappedValue: [T], repeating option: ValueOption<String>, as _: T.Type, help: ArgumentHelp
  ) where Value == [T] {
    self.init(
      wrappedValue: wrappedValue, name: .customLong(option.name), help: help.with(option.kind, standard: String?.none),
      transform: { try option.parse($0, as: T.self) })
  }
}

extension ValueOption where Value == String {
  fileprivate func parse<T: RawRepresentable<String> & Sendable>(_ text: String, as _: T.Type) throws -> T {
    guard let value = T(rawValue: try parse(text)) else {
      throw ValidationError("\(text) is not known to this program")
    }
    return value
  }
}

extension ValueKind {
  /// A number behind an option is its value also where it begins with a dash.
  fileprivate var parsing: SingleValueParsingStrategy {
    switch self {
    case .number, .wholeNumber: .unconditional
    default: .next
    }
  }
}

extension ArgumentHelp {
  /// The help with the names or limits of the values and the default behind it.
  fileprivate func with<Value>(_ kind: ValueKind, standard: Value?) -> ArgumentHelp {
    var notes: [String] = []
    if !kind.names.isEmpty { notes.append("values: \(kind.names.joined(separator: ", "))") }
    if let words = kind.words { notes.append(words.trimmingPrefix("of ").description) }
    if let standard {
      let name = (standard as? any RawRepresentable<String>)?.rawValue
      notes.append("default: \(name ?? "\(standard)")")
    }
    guard !notes.isEmpty else { return self }
    var help = self
    help.abstract += " (\(notes.joined(separator: "; ")))"
    return help
  }
}

extension ValueRelations {
  /// Refuses values that do not fit each other, with status 64.
  public func validate() throws {
    do {
      try check()
    } catch {
      throw ValidationError(error.description)
    }
  }
}
