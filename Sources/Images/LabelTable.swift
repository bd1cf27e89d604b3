import Diagnostics
import Files
import Records

/// The classes in a `dataset.json` of EDM's form: `labels`, a list of `[file name, integer]`, or null.
struct LabelTable {
  /// The class of each name; nil where there are none.
  let classes: [ByteName: Int]?

  private static let maximumLabels = 1 << 20

  /// The most bytes that the table of some names is expected to have: each label names its image.
  static func maximumBytes(_ names: [ByteName]) -> Int { 4096 + names.reduce(0) { $0 + 2 * $1.bytes.count + 64 } }

  /// - Parameters:
  ///   - json: the content of the file.
  ///   - path: names what holds it in errors.
  /// - Throws: a `Failure` with status `dataError` naming the entry that is no class.
  init(_ json: [UInt8], of path: String) throws {
    guard case .object(let root)? = JSONValue(json: ByteOrderMark.removed(from: json)) else {
      throw Failure(.dataError, path, "dataset.json is not a JSON object, or gives a key twice")
    }
    guard let value = root["labels"], value != .null else {
      classes = nil
      return
    }
    let expectation = "`labels` is expected to be null or a list of [file name, integer]"
    guard let list = value.arrayValue else { throw Failure(.dataError, path, "dataset.json: \(expectation)") }
    var classes: [ByteName: Int] = [:]
    for (index, item) in list.enumerated() {
      guard let pair = item.arrayValue, pair.count == 2, let text = pair[0].textValue else {
        throw Failure(.dataError, path, "dataset.json: label \(index + 1) is no pair; \(expectation)")
      }
      // As the official reader, which takes names that Windows wrote.
      let name = ByteName(text.utf8.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 })
      guard let label = Self.label(pair[1]) else {
        throw Failure(
          .dataError, path,
          "dataset.json: the label of \(name) is \(Self.shown(pair[1])); a class from 0 to \(Self.maximumLabels - 1) is "
            + "expected", remedy: "give a data set whose labels are class numbers")
      }
      classes[name] = label
    }
    self.classes = classes
  }

  /// The failure of an image without a label beside others that have one.
  static func missing(_ name: ByteName, in path: String) -> Failure {
    Failure(
      .dataError, path, "dataset.json has no label for image \(name)", remedy: "give every image a label, or none")
  }

  private static func label(_ value: JSONValue) -> Int? {
    value.integerValue.flatMap { (0..<maximumLabels).contains($0) ? $0 : nil }
  }

  private static func shown(_ value: JSONValue) -> String {
    if let list = value.arrayValue { return "a list of \(list.count)" }
    return String(value.text.prefix(40))
  }
}
