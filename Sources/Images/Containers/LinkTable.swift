import Files

/// The entries of an archive by their paths, to find what its links stand for.
struct LinkTable {
  /// Why a link stands for nothing that could be read.
  enum Problem: String, Error {
    case outside = "which lies outside the archive"
    case missing = "which the archive does not hold as a file"
    case circle = "and so on in a circle"
  }

  /// As many links as Linux follows, one behind the other.
  private static let mostSteps = 40

  private let entries: [StoredEntry]
  private var places: [[UInt8]: [Int]] = [:]

  /// - Parameter entries: all of the archive, in its order.
  init(_ entries: [StoredEntry]) {
    self.entries = entries
    for (index, entry) in entries.enumerated() {
      guard let path = Self.normal(entry.name.bytes[...]) else { continue }
      places[path, default: []].append(index)
    }
  }

  /// The file that an entry stands for in the end.
  /// - Returns: its number; that of the entry itself where it is a file.
  /// - Throws: a `Problem`.
  func file(of entry: Int) throws(Problem) -> Int {
    var current = entry
    for _ in 0..<Self.mostSteps {
      let found: Int?
      switch entries[current].form {
      case .file: return current
      case .hardLink(let target):
        // A hard link is made to what has been unpacked before it.
        guard let path = Self.normal(target.bytes[...]) else { throw .outside }
        found = places[path]?.last { $0 < current }
      case .symbolicLink(let target):
        guard target.bytes.first != UInt8(ascii: "/") else { throw .outside }
        let name = entries[current].name.bytes
        let folder = name[..<(name.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)]
        guard let path = Self.normal(folder + target.bytes) else { throw .outside }
        found = places[path]?.last
      }
      guard let found else { throw .missing }
      current = found
    }
    throw .circle
  }

  /// The entries of whose path there is a later one.
  static func replaced(_ entries: [StoredEntry]) -> Set<Int> {
    var last: [[UInt8]: Int] = [:]
    var replaced: Set<Int> = []
    for (index, entry) in entries.enumerated() {
      guard let path = normal(entry.name.bytes[...]) else { continue }
      if let earlier = last.updateValue(index, forKey: path) { replaced.insert(earlier) }
    }
    return replaced
  }

  /// A path without `.`, `..` and doubled slashes; nil where it leaves the archive.
  private static func normal(_ path: ArraySlice<UInt8>) -> [UInt8]? {
    var components: [ArraySlice<UInt8>] = []
    for component in path.split(separator: UInt8(ascii: "/")) where component != [UInt8(ascii: ".")] {
      if component.elementsEqual("..".utf8) {
        guard components.popLast() != nil else { return nil }
      } else {
        components.append(component)
      }
    }
    return Array(components.joined(separator: [UInt8(ascii: "/")]))
  }
}
