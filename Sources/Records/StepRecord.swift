import Foundation

/// What a step has made: `NAME.json` beside its output `NAME.h5`, which appears last of all.
///
/// Where a complete record stands, everything that the step promised stands beside it: a step is done when its record is
/// there. Before that, `.NAME.json` keeps what can be told of the output only while it is made (a draft); it has no `files`.
public struct StepRecord: Sendable, Equatable {
  /// A file that belongs to the step.
  public struct File: Sendable, Hashable {
    /// Its path from the record's folder: no `..`, no empty part.
    public let name: String
    /// The digest of its content, 64 hexadecimal digits in lower case.
    public let sha256: String

    /// - Parameters:
    ///   - name: its path from the record's folder.
    ///   - sha256: the digest of its content.
    public init(name: String, sha256: String) { (self.name, self.sha256) = (name, sha256) }
  }

  /// The stage, for example "score"; empty in what is no record of a stage.
  public var stage: String
  /// The output's file name.
  public var output: String
  /// The values that a job's summary shows.
  public var figures: [String: JSONValue]
  /// Anything else that the stage tells, at the top of the file.
  public var details: [String: JSONValue]
  /// What the output was made from, as the output says it; nil in records of versions that did not write it.
  public var provenance: String?
  /// Every file of the step, sorted by name; nil in a draft, and in records of versions before the rule.
  public var files: [File]?

  /// The largest record: that of some two million files.
  public static let largestBytes = 256 << 20
  /// The most bytes that a record has beside its files.
  static let largestFiguresBytes = 4 << 20
  private static let reserved = ["stage", "output", "figures", "provenance", "files"]

  /// - Parameters: as the properties.
  public init(
    stage: String, output: String, figures: [String: JSONValue], details: [String: JSONValue] = [:],
    provenance: String? = nil, files: [File]? = nil
  ) {
    (self.stage, self.output, self.figures, self.details) = (stage, output, figures, details)
    (self.provenance, self.files) = (provenance, files)
  }

  /// Whether it says that the step is done: it names the stage, the output and the files.
  public var isComplete: Bool { files != nil && !stage.isEmpty && !output.isEmpty }

  /// Where the record of an output stands: `samples.json` for `samples.h5`.
  public static func path(of output: String) -> String { (output as NSString).deletingPathExtension + ".json" }

  /// Where its draft stands until everything is there: `.samples.json`.
  public static func draftPath(of output: String) -> String {
    let record = path(of: output)
    let start = record.lastIndex(of: "/").map { record.index(after: $0) } ?? record.startIndex
    return record[..<start] + "." + record[start...]
  }

  /// Whether a file can be one of a record's: a path that stays in the record's folder.
  public static func isName(_ name: String) -> Bool {
    !name.isEmpty && !name.utf8.contains(0)
      && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !["", ".", ".."].contains($0) }
  }
}

extension StepRecord {
  /// Reads a record, a draft, or the summary of a version before the rule.
  ///
  /// - Parameters:
  ///   - bytes: the content of the file.
  ///   - keepsFiles: false checks the files and keeps none of them: `files` is empty where there are some.
  /// - Returns: nil where it is no JSON object, has a field of the wrong kind, or has more than 4 MiB beside its files.
  public init?(json bytes: [UInt8], keepsFiles: Bool = true) {
    var reader = JSONReader(bytes)
    var fields: [String: JSONValue] = [:]
    var files: [File]?
    var fileBytes = 0
    let isObject = reader.object { key, reader in
      guard key == "files" else {
        guard let value = reader.value() else { return false }
        return fields.updateValue(value, forKey: key) == nil
      }
      guard files == nil else { return false }
      let start = reader.position
      guard let found = Self.files(&reader, areKept: keepsFiles) else { return false }
      (files, fileBytes) = (found, reader.position - start)
      return true
    }
    guard isObject, reader.isAtEnd(), bytes.count - fileBytes <= Self.largestFiguresBytes else { return nil }
    var isWellFormed = true
    func take<T>(_ name: String, _ read: (JSONValue) -> T?) -> T? {
      guard let value = fields.removeValue(forKey: name) else { return nil }
      let result = read(value)
      if result == nil { isWellFormed = false }
      return result
    }
    stage = take("stage") { $0.textValue } ?? ""
    output = take("output") { $0.textValue } ?? ""
    figures = take("figures") { $0.objectValue } ?? [:]
    provenance = take("provenance") { $0.textValue }
    self.files = files
    details = fields
    guard isWellFormed else { return nil }
  }

  private static func files(_ reader: inout JSONReader, areKept: Bool) -> [File]? {
    var files: [File] = []
    let isList = reader.array { reader in
      var name: String?
      var digest: String?
      let isFile = reader.object { key, reader in
        switch key {
        case "name" where name == nil: name = reader.string()
        case "sha256" where digest == nil: digest = reader.string()
        default: return false
        }
        return true
      }
      guard isFile, let name, let digest, isName(name), isDigest(digest) else { return false }
      if areKept { files.append(File(name: name, sha256: digest)) }
      return true
    }
    return isList ? files : nil
  }

  private static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }
  }

  /// The content of the file: keys sorted, and the files last, one a line.
  public var text: String {
    var fields = details.filter { !Self.reserved.contains($0.key) }
    fields["stage"] = .string(stage)
    fields["output"] = .string(output)
    fields["figures"] = .object(figures)
    fields["provenance"] = provenance.map { .string($0) }
    let text = JSONValue.object(fields).prettyText
    guard let files else { return text }
    let lines = files.map { "    {\"name\": \(JSONValue.string($0.name).text), \"sha256\": \"\($0.sha256)\"}" }
    let list = lines.isEmpty ? "[]" : "[\n" + lines.joined(separator: ",\n") + "\n  ]"
    // An object of at least two fields ends in a line break and its bracket.
    return text.dropLast("\n}\n".count) + ",\n  \"files\" : \(list)\n}\n"
  }
}
