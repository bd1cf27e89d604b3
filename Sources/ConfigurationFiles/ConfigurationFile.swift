import Diagnostics
import Files
import Models
import Yams

/// The YAML file of `--config`.
public enum ConfigurationFile {
  private static let valueLimit = 10_000

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
    // Editors of other systems begin a text with a byte order mark.
    guard let text = String(validating: ByteOrderMark.removed(from: data), as: UTF8.self) else {
      throw Failure(.configuration, path, "not a UTF-8 text", remedy: "save it as UTF-8")
    }
    do {
      var budget = valueLimit
      guard let node = try Yams.compose(yaml: text),
        case .dictionary(let options) = try plain(node, path: path, depth: 0, budget: &budget)
      else { throw Failure(.configuration, path, "a YAML mapping is expected") }
      return options
    } catch let error as YamlError {
      throw Failure(.configuration, path, "not valid YAML: \(error)")
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

  private static func plain(_ node: Node, path: String, depth: Int, budget: inout Int) throws -> PlainValue {
    let line = node.mark.map { "line \($0.line): " } ?? ""
    budget -= 1
    // Aliases can make a small text a large value.
    guard depth < 16, budget > 0 else {
      throw Failure(.configuration, path, line + "more than \(valueLimit) values or 16 levels")
    }
    switch node {
    case .scalar(let scalar):
      if node.null != nil { return .none }
      // Quoted text is text.
      guard scalar.style == .plain || scalar.style == .any else { return .text(scalar.string) }
      if let integer = node.int { return .integer(integer) }
      if let real = node.float { return .real(real) }
      if let flag = node.bool { return .flag(flag) }
      return .text(scalar.string)
    case .sequence(let items):
      return .list(try items.map { try plain($0, path: path, depth: depth + 1, budget: &budget) })
    case .mapping(let pairs):
      var entries: [String: PlainValue] = [:]
      for (key, value) in pairs {
        guard let name = key.string else { throw Failure(.configuration, path, line + "a key that is no text") }
        entries[name] = try plain(value, path: path, depth: depth + 1, budget: &budget)
      }
      return .dictionary(entries)
    case .alias: throw Failure(.configuration, path, line + "an alias without its anchor")
    }
  }
}
