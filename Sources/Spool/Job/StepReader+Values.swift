import OptionValues
import YAML

/// Values as the programs declare them, refused at their line.
extension StepReader {
  /// The text of a value as it stands, where the stage would take it.
  func checked(_ text: String, _ kind: ValueKind, line: Int, key: String) throws -> String {
    do {
      try kind.check(text)
    } catch {
      throw YAMLError(
        line: line, key: key, "is \"\(text.prefix(80))\"; expected \(error.expected)", remedy: error.hint)
    }
    return text
  }

  /// Refuses values that are right by themselves and do not fit each other.
  func checkRelations(_ settings: [JobStep.Setting], of stage: StageVocabulary, line: Int) throws {
    var texts: [String: [String]] = [:]
    var others: Set<String> = []
    for setting in settings {
      switch setting.value {
      case .text(let text): texts[setting.option.name] = [text]
      case .list(let items): if !items.isEmpty { texts[setting.option.name] = items }
      case .flag(let isSet): if isSet { others.insert(setting.option.name) }
      case .input: others.insert(setting.option.name)
      }
    }
    do {
      try stage.relations?.init(GivenValues(texts: texts, others: others)).check()
    } catch {
      func setting(_ name: String?) -> JobStep.Setting? { settings.first { $0.option.name == name } }
      if setting(error.option) == nil, let other = setting(error.other) {
        throw YAMLError(line: other.line, key: other.option.name, "\(error.option) \(error.problem)")
      }
      throw YAMLError(line: setting(error.option)?.line ?? line, key: error.option, error.problem)
    }
  }
}
