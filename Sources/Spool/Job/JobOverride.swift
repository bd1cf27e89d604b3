import Diagnostics
import YAML

/// A change to one option of a job file: `STEP.KEY=VALUE`, as `sidctl submit --set` takes it.
public struct JobOverride: Sendable, Equatable {
  /// The name of a step, or its stage where the job has one step of that stage.
  public let step: String
  /// The option, without dashes.
  public let key: String
  /// The text as it was given, for messages and for the record in the job file.
  public let text: String
  let value: Value

  /// What the option becomes.
  enum Value: Equatable {
    case scalar(Scalar)
    case list([Scalar])
  }

  /// A single value, as YAML reads it.
  struct Scalar: Equatable {
    let text: String
    let isPlain: Bool
  }

  /// Reads `STEP.KEY=VALUE`; the value is YAML: a single value or a list in brackets.
  /// - Throws: a `Failure` with status `usage` that names the option.
  public init(_ text: String) throws {
    func wrong(_ problem: String, remedy: String? = nil) -> Failure {
      Failure(.usage, "--set \(text.prefix(200))", problem, remedy: remedy)
    }
    guard let equals = text.firstIndex(of: "="), let dot = text[..<equals].firstIndex(of: "."),
      dot != text.startIndex, text.index(after: dot) != equals
    else { throw wrong("expected STEP.KEY=VALUE", remedy: "for example generator.batch=64") }
    step = String(text[..<dot])
    key = String(text[text.index(after: dot)..<equals])
    self.text = text
    let written = text[text.index(after: equals)...]
    guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      throw wrong("control characters and line breaks are not allowed")
    }
    guard written.contains(where: { $0 != " " }) else { throw wrong("the value is missing") }
    let node: YAMLNode
    do {
      node = try YAMLReader.read(Array(written.utf8))
    } catch let error as YAMLError {
      throw wrong("the value cannot be read: \(error.message)", remedy: "put it in quotes")
    }
    switch node.content {
    case .scalar(let text, let isPlain) where !node.isNull: value = .scalar(Scalar(text: text, isPlain: isPlain))
    case .list(let items) where !items.isEmpty:
      value = .list(
        try items.map { item in
          guard case .scalar(let text, let isPlain) = item.content, !item.isNull else {
            throw wrong("the list holds \(item.kind); expected single values")
          }
          return Scalar(text: text, isPlain: isPlain)
        })
    default: throw wrong("the value is \(node.kind); expected a single value or a list of them")
    }
  }

  /// The error that this override causes.
  func failure(_ problem: String, remedy: String? = nil) -> Failure {
    Failure(.usage, "--set \(text.prefix(200))", problem, remedy: remedy)
  }
}

extension JobOverride.Scalar {
  /// Letters that mean themselves anywhere in YAML, inside brackets as well.
  private static let harmless = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-=")

  /// Whether it can stand without quotes: it would be read as the same value.
  private var isBare: Bool {
    isPlain && text.first.map { $0.isLetter || $0.isNumber || text.count > 1 } ?? false
      && text.allSatisfy(Self.harmless.contains) && !text.hasPrefix("-") && !text.hasPrefix("=")
      && !text.hasPrefix("...")
  }

  /// The YAML of it, on one line.
  var yaml: String { isBare ? text : "'" + text.replacing("'", with: "''") + "'" }

  /// What `yaml` is read as.
  var written: Self { .init(text: text, isPlain: isBare) }
}

extension JobOverride.Value {
  /// The YAML of it, on one line.
  var yaml: String {
    switch self {
    case .scalar(let scalar): scalar.yaml
    case .list(let items): "[" + items.map(\.yaml).joined(separator: ", ") + "]"
    }
  }
}
