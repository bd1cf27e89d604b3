import CYaml
import Files

/// Reads one YAML document event by event, so that whatever no file of ours may contain is refused at its line before
/// anything is built from it: aliases cannot multiply, and nesting and size are bounded.
///
/// Anchors, aliases, tags, keys that are given twice, a second document, and control characters in a value are errors.
package struct YAMLReader {
  /// Bounds that no honest file comes near.
  static let deepestNesting = 8
  static let mostNodes = 20_000
  static let longestScalarBytes = 4096

  /// - Parameter text: a UTF-8 document; a byte order mark at its start is passed over, and counts nowhere.
  /// - Throws: `YAMLError` with the line of the first thing that is not allowed.
  package static func read(_ text: [UInt8]) throws -> YAMLNode {
    if ByteOrderMark.isUTF16(text) {
      throw YAMLError(line: 1, "the file is UTF-16, not UTF-8", remedy: "save it as UTF-8")
    }
    // libyaml, told of UTF-8, takes the mark for a character: the first line would be indented by it.
    let text = ByteOrderMark.removed(from: text)
    return try text.withUnsafeBufferPointer { buffer in
      let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
      defer { parser.deallocate() }
      guard yaml_parser_initialize(parser) == 1 else { throw YAMLError(line: 1, "out of memory") }
      defer { yaml_parser_delete(parser) }
      yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
      yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
      var reader = YAMLReader(parser: parser, text: text)
      return try reader.document()
    }
  }

  private struct Event {
    let type: yaml_event_type_t
    let line: Int
    /// Where it stands in the text, counted in Unicode scalars.
    let span: Range<Int>
    var isFlow = false
    var text = ""
    var isPlain = false
    var isAnchored = false
    var isTagged = false
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let text: [UInt8]
  private var nodes = 0

  private init(parser: UnsafeMutablePointer<yaml_parser_t>, text: [UInt8]) {
    self.parser = parser
    self.text = text
  }

  private mutating func document() throws -> YAMLNode {
    var event = try next()
    while event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT { event = try next() }
    guard event.type != YAML_STREAM_END_EVENT else { throw YAMLError(line: 1, "the file is empty") }
    let root = try node(from: event, key: nil, depth: 0)
    _ = try next()
    let end = try next()
    guard end.type == YAML_STREAM_END_EVENT else {
      throw YAMLError(line: end.line, "a second document starts here; a file holds one")
    }
    return root
  }

  private mutating func node(from event: Event, key: String?, depth: Int) throws -> YAMLNode {
    nodes += 1
    guard nodes <= Self.mostNodes else {
      throw YAMLError(line: event.line, key: key, "more than \(Self.mostNodes) values")
    }
    guard depth <= Self.deepestNesting else {
      throw YAMLError(line: event.line, key: key, "nested more than \(Self.deepestNesting) levels deep")
    }
    if event.type == YAML_ALIAS_EVENT {
      throw YAMLError(
        line: event.line, key: key, "aliases (*\(event.text)) are not allowed", remedy: "write the value out")
    }
    if event.isAnchored {
      throw YAMLError(line: event.line, key: key, "anchors (&) are not allowed", remedy: "write the value out")
    }
    if event.isTagged { throw YAMLError(line: event.line, key: key, "tags (!) are not allowed") }
    switch event.type {
    case YAML_SCALAR_EVENT:
      try checkScalar(event, key: key)
      return YAMLNode(
        line: event.line, span: event.span, isFlow: false, content: .scalar(event.text, isPlain: event.isPlain))
    case YAML_SEQUENCE_START_EVENT:
      var items: [YAMLNode] = []
      var item = try next()
      while item.type != YAML_SEQUENCE_END_EVENT {
        items.append(try node(from: item, key: key, depth: depth + 1))
        item = try next()
      }
      return Self.collection(event, closing: item, last: items.last, .list(items))
    case YAML_MAPPING_START_EVENT:
      let (pairs, closing) = try pairs(key: key, depth: depth)
      return Self.collection(event, closing: closing, last: pairs.last?.value, .mapping(pairs))
    default:
      throw YAMLError(line: event.line, key: key, "a value is missing")
    }
  }

  /// A list or mapping; one without brackets ends where its last value does, not where the next thing begins.
  private static func collection(_ event: Event, closing: Event, last: YAMLNode?, _ content: YAMLNode.Content)
    -> YAMLNode
  {
    let end = event.isFlow ? closing.span.upperBound : max(last?.span.upperBound ?? 0, event.span.lowerBound)
    return YAMLNode(line: event.line, span: event.span.lowerBound..<end, isFlow: event.isFlow, content: content)
  }

  private mutating func pairs(key outer: String?, depth: Int) throws -> ([YAMLNode.Pair], closing: Event) {
    var pairs: [YAMLNode.Pair] = []
    var lines: [String: Int] = [:]
    while true {
      let event = try next()
      if event.type == YAML_MAPPING_END_EVENT { return (pairs, event) }
      let keyNode = try node(from: event, key: outer, depth: depth + 1)
      guard case .scalar(let key, _) = keyNode.content else {
        throw YAMLError(line: event.line, key: outer, "\(keyNode.kind) stands where a key was expected")
      }
      if let first = lines[key] {
        throw YAMLError(
          line: event.line, key: key, "given twice, first on line \(first)", remedy: "remove one of the two")
      }
      lines[key] = event.line
      let value = try node(from: try next(), key: key, depth: depth + 1)
      pairs.append(.init(key: key, line: event.line, keySpan: event.span, value: value))
    }
  }

  private func checkScalar(_ event: Event, key: String?) throws {
    guard event.text.utf8.count <= Self.longestScalarBytes else {
      throw YAMLError(line: event.line, key: key, "longer than \(Self.longestScalarBytes) bytes")
    }
    guard !event.text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      throw YAMLError(line: event.line, key: key, "control characters and line breaks are not allowed in a value")
    }
  }

  private func next() throws -> Event {
    var raw = yaml_event_t()
    guard yaml_parser_parse(parser, &raw) == 1 else { throw parserError() }
    defer { yaml_event_delete(&raw) }
    let span = Int(raw.start_mark.index)..<max(Int(raw.start_mark.index), Int(raw.end_mark.index))
    var event = Event(type: raw.type, line: Int(raw.start_mark.line) + 1, span: span)
    switch raw.type {
    case YAML_ALIAS_EVENT:
      event.text = raw.data.alias.anchor.map { String(cString: $0) } ?? ""
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      event.text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      event.isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
      event.isAnchored = scalar.anchor != nil
      event.isTagged = scalar.tag != nil
    case YAML_SEQUENCE_START_EVENT:
      event.isAnchored = raw.data.sequence_start.anchor != nil
      event.isTagged = raw.data.sequence_start.tag != nil
      event.isFlow = raw.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
    case YAML_MAPPING_START_EVENT:
      event.isAnchored = raw.data.mapping_start.anchor != nil
      event.isTagged = raw.data.mapping_start.tag != nil
      event.isFlow = raw.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
    default:
      break
    }
    return event
  }

  private func parserError() -> YAMLError {
    let state = parser.pointee
    let problem = state.problem.map { String(cString: $0) } ?? "out of memory"
    // The reader, which decodes characters, knows the offset alone; scanner and parser know the line.
    let line =
      state.error == YAML_READER_ERROR
      ? text.prefix(Int(state.problem_offset)).count { $0 == UInt8(ascii: "\n") } : Int(state.problem_mark.line)
    return YAMLError(line: line + 1, "not YAML: \(problem)")
  }
}
