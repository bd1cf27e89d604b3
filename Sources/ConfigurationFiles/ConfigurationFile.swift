import Diagnostics
import Files
import Models
import YAML

/// The YAML file of `--config`.
public enum ConfigurationFile {
  /// Reads a mapping of plain values.
  /// - Throws: `noInput` where it is missing, `dataError` where it is no regular file, `configuration` naming line and reason where it is no such mapping.
  public static func read(_ path: String) throws -> [String: PlainValue] {
    let file = try InputFile(path, expected: "a YAML file")
    guard file.size <= 1 << 20 else { throw Failure(.configuration, path, "not a YAML file of at most 1 MiB") }
    let data = try file.bytes(from: 0, count: file.size)
    let beginning = Array(data.prefix(FileGuess.neededBytes))
    if let guess = FileGuess(beginning), guess.kind != "text" {
      throw Failure(.configuration, path, "a YAML file is expected, this is \(guess.kind)", remedy: guess.remedy)
    }
    do {
      let root = try YAMLReader.read(data)
      guard case .mapping = root.content, case .dictionary(let options) = PlainValue(root) else {
        throw YAMLError(line: root.line, "the file is \(root.kind); expected a YAML mapping")
      }
      return options
    } catch let error as YAMLError {
      throw error.failure(in: path, .configuration)
    }
  }

  /// The architecture of a denoiser, by EDM's names.
  public static func network(_ options: [String: PlainValue], origin: String) throws -> NetworkConfiguration {
    var options = options
    guard let precond = options.removeValue(forKey: "precond")?.textValue else {
      throw Failure(
        .configuration, origin, "\"precond\" is missing: the class of the preconditioner, such as EDMPrecond")
    }
    do {
      let configuration = try NetworkConfiguration(
        className: precond, modelClassName: nil, initKeywords: options, origin: origin)
      try configuration.validate(origin: origin)
      return configuration
    } catch let failure as Failure {
      throw Failure(.configuration, failure.subject, failure.problem, remedy: failure.remedy)
    }
  }
}

extension PlainValue {
  /// The value of a YAML node: quoted text is text; plain text is what YAML's core schema makes of it (yaml.org, 1.2.2, section
  /// 10.3.2), and yes, no, on and off are flags, as PyYAML reads them.
  init(_ node: YAMLNode) {
    switch node.content {
    case .scalar where node.isNull: self = .none
    case .scalar(let text, let isPlain): self = isPlain ? Self(plain: text) : .text(text)
    case .list(let items): self = .list(items.map { PlainValue($0) })
    case .mapping(let pairs):
      self = .dictionary(Dictionary(pairs.map { ($0.key, PlainValue($0.value)) }) { first, _ in first })
    }
  }

  private init(plain text: String) {
    if let whole = Self.whole(text) {
      self = .integer(whole)
    } else if let real = Self.real(text) {
      self = .real(real)
    } else {
      switch text.lowercased() {
      case "true", "yes", "on": self = .flag(true)
      case "false", "no", "off": self = .flag(false)
      default: self = .text(text)
      }
    }
  }

  private static func whole(_ text: String) -> Int? {
    if text.hasPrefix("0x") { return unsigned(text.dropFirst(2), radix: 16) }
    if text.hasPrefix("0o") { return unsigned(text.dropFirst(2), radix: 8) }
    return Int(text)
  }

  /// `Int` alone would take another sign behind the prefix.
  private static func unsigned(_ digits: Substring, radix: Int) -> Int? {
    digits.first.map { $0 != "+" && $0 != "-" } == true ? Int(digits, radix: radix) : nil
  }

  private static func real(_ text: String) -> Double? {
    switch text {
    case ".nan", ".NaN", ".NAN": return .nan
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .infinity
    case "-.inf", "-.Inf", "-.INF": return -.infinity
    default:
      // `Double` would take words and hexadecimal numbers, too.
      guard text.contains(where: \.isNumber), text.allSatisfy({ "0123456789+-.eE".contains($0) }) else { return nil }
      return Double(text)
    }
  }
}
