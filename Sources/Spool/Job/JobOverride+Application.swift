import Diagnostics
import Files
import OptionValues
import YAML

extension JobOverride {
  /// The job file with overrides written into it: the text that is submitted, so that what ran is what is stored.
  ///
  /// Comments and layout stay; a value that is there is replaced, one that is not is added. The overrides are recorded in
  /// comments at the end. Every override is checked as the job file itself is.
  /// - Parameters:
  ///   - overrides: applied in this order; each option at most once.
  ///   - bytes: the content of the job file.
  ///   - path: the file that errors name.
  /// - Throws: a `Failure` naming file and line where the job file is wrong, or the override that is.
  public static func apply(_ overrides: [JobOverride], to bytes: [UInt8], path: String) throws -> [UInt8] {
    do {
      _ = try JobFile(bytes)
    } catch let error as YAMLError {
      throw error.failure(in: path)
    }
    guard !overrides.isEmpty else { return bytes }
    var text = String(decoding: ByteOrderMark.removed(from: bytes), as: UTF8.self)
    var changed: Set<[String]> = []
    // Values that depend on each other may be right together only.
    var wrong: (override: JobOverride, error: YAMLError)?
    for override in overrides {
      let root = try YAMLReader.read(Array(text.utf8))
      let place = try override.find(in: root)
      guard changed.insert([place.name, override.key]).inserted else {
        throw override.failure("the option is set twice", remedy: "remove one of the two")
      }
      let edited = override.edit(text, place)
      do {
        let result = try YAMLReader.read(Array(edited.utf8))
        guard Tree(result) == override.expected(root, place) else { throw override.notInPlace }
      } catch let error as YAMLError {
        throw override.failure(error.description)
      }
      text = edited
      do {
        _ = try JobFile(Array(text.utf8))
        wrong = nil
      } catch let error as YAMLError {
        if wrong?.error.message != error.message { wrong = (override, error) }
      }
    }
    if let wrong {
      let (override, error) = wrong
      throw override.failure(error.key == override.key ? error.message : error.description)
    }
    if !text.hasSuffix("\n") { text += "\n" }
    text += "\n# Set when it was submitted:\n"
    for override in overrides { text += "#   --set \(override.text)\n" }
    return Array(text.utf8)
  }

  private var notInPlace: Failure {
    failure("the job file is written in a way in which the option cannot be changed", remedy: "change the file itself")
  }

  /// A step of a job file that is known to be one.
  private struct Place {
    let index: Int
    let name: String
    /// The stage with its options.
    let step: YAMLNode.Pair
  }

  private static func places(_ root: YAMLNode) -> [Place] {
    guard case .mapping(let pairs) = root.content, let steps = pairs.first(where: { $0.key == "steps" })?.value,
      case .list(let items) = steps.content
    else { return [] }
    return items.enumerated().compactMap { index, item in
      guard case .mapping(let stages) = item.content, let step = stages.first else { return nil }
      var name = step.key
      if case .mapping(let options) = step.value.content, let given = options.first(where: { $0.key == "name" })?.value,
        case .scalar(let text, _) = given.content
      {
        name = text
      }
      return Place(index: index, name: name, step: step)
    }
  }

  private func find(in root: YAMLNode) throws -> Place {
    let places = Self.places(root)
    if let named = places.first(where: { $0.name == step }) { return named }
    let ofStage = places.filter { $0.step.key == step }
    if ofStage.count == 1 { return ofStage[0] }
    let names = (ofStage.isEmpty ? places : ofStage).map(\.name)
    guard ofStage.isEmpty else {
      throw failure("the job has \(ofStage.count) steps of the stage \"\(step)\"", remedy: "name one: \(list(names))")
    }
    throw failure(
      "the job has no step \"\(step)\"",
      remedy: nearest(to: step, among: names).map { "did you mean \"\($0)\"?" } ?? "its steps are \(list(names))")
  }

  private func list(_ names: [String]) -> String {
    names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", ..." : "")
  }

  /// Writes the value where it belongs. The caller checks that the text then says what it should.
  private func edit(_ text: String, _ place: Place) -> String {
    let options = place.step.value
    guard case .mapping(let pairs) = options.content else {
      // A step without options: `score:`.
      let span = place.step.keySpan.upperBound..<max(place.step.keySpan.upperBound, options.span.upperBound)
      return Self.replace(span, of: text, with: ": { \(key): \(value.yaml) }")
    }
    if let pair = pairs.first(where: { $0.key == key }) {
      let span = pair.keySpan.upperBound..<max(pair.keySpan.upperBound, pair.value.span.upperBound)
      return Self.replace(span, of: text, with: ": \(value.yaml)")
    }
    let start = options.span.lowerBound
    if options.isFlow {
      let rest = pairs.isEmpty ? " " : ","
      let next = text.unicodeScalars.dropFirst(start + 1).first
      let space = pairs.isEmpty || next == " " || next == "\n" || next == "\r" ? "" : " "
      return Self.replace(start + 1..<start + 1, of: text, with: " \(key): \(value.yaml)\(rest)\(space)")
    }
    let scalars = text.unicodeScalars.prefix(start)
    let column =
      scalars.count - (scalars.lastIndex(of: "\n").map { scalars.distance(from: scalars.startIndex, to: $0) + 1 } ?? 0)
    return Self.replace(
      start..<start, of: text, with: "\(key): \(value.yaml)\n" + String(repeating: " ", count: column))
  }

  /// - Parameter span: in Unicode scalars.
  private static func replace(_ span: Range<Int>, of text: String, with part: String) -> String {
    let scalars = Array(text.unicodeScalars)
    guard span.upperBound <= scalars.count else { return text }
    var result = String.UnicodeScalarView(scalars[..<span.lowerBound])
    result.append(contentsOf: part.unicodeScalars)
    result.append(contentsOf: scalars[span.upperBound...])
    return String(result)
  }

  /// What the job file says once the value is set.
  private func expected(_ root: YAMLNode, _ place: Place) -> Tree {
    guard case .mapping(var job) = Tree(root), case .list(var steps)? = job["steps"],
      case .mapping(var step) = steps[place.index]
    else { return Tree(root) }
    var options: [String: Tree] = [:]
    if case .mapping(let given)? = step[place.step.key] { options = given }
    switch value {
    case .scalar(let scalar): options[key] = .scalar(scalar.written)
    case .list(let items): options[key] = .list(items.map { .scalar($0.written) })
    }
    step[place.step.key] = .mapping(options)
    steps[place.index] = .mapping(step)
    job["steps"] = .list(steps)
    return .mapping(job)
  }

  /// A document's values without their places.
  private enum Tree: Equatable {
    case scalar(Scalar)
    case list([Tree])
    case mapping([String: Tree])

    init(_ node: YAMLNode) {
      switch node.content {
      case .scalar(let text, let isPlain): self = .scalar(Scalar(text: text, isPlain: isPlain))
      case .list(let items): self = .list(items.map { Tree($0) })
      case .mapping(let pairs):
        self = .mapping(Dictionary(pairs.map { ($0.key, Tree($0.value)) }) { first, _ in first })
      }
    }
  }
}
