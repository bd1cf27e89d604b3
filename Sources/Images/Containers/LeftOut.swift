import Files

/// What a source of images left out, by the reason: nothing that stands beside images goes unsaid.
public struct LeftOut: Sendable, Equatable, CustomStringConvertible {
  /// How many files were left out for one reason, and the name of the first.
  public struct Group: Sendable, Equatable {
    /// The number of files.
    public fileprivate(set) var count: Int
    /// The name of the first of them, as it is shown.
    public let example: String
  }

  /// The groups by their reason in words: "text", "macOS sidecar".
  public private(set) var groups: [String: Group] = [:]

  /// What else is to be said of the source, and of how many parts of it.
  public private(set) var remarks: [String: Int] = [:]

  /// Nothing was left out.
  public init() {}

  /// The number of files that were left out.
  public var count: Int { groups.values.reduce(0) { $0 + $1.count } }

  /// How many were left out for each reason; and each remark with the number of parts that it is about.
  public var counts: [String: Int] { groups.mapValues(\.count).merging(remarks) { $0 + $1 } }

  /// Takes down that a file was left out.
  public mutating func add(_ name: ByteName, reason: String) { add(reason, Group(count: 1, example: Self.shown(name))) }

  /// Takes down what a part of this source left out.
  public mutating func add(_ other: LeftOut) {
    for (reason, group) in other.groups { add(reason, group) }
    remarks.merge(other.remarks) { $0 + $1 }
  }

  /// Takes down what is to be said of the source itself.
  mutating func remark(_ remark: String) { remarks[remark, default: 0] += 1 }

  private mutating func add(_ reason: String, _ group: Group) {
    groups[reason, default: Group(count: 0, example: group.example)].count += group.count
  }

  /// For people: `2 files: 1 macOS sidecar (__MACOSX/._0.png), 1 text (readme.txt)`.
  public var description: String {
    let parts = groups.sorted { $0.key < $1.key }.map { reason, group in
      "\(group.count) \(reason) (\(group.count > 1 ? "first " : "")\(group.example))"
    }
    return "\(count) file\(count == 1 ? "" : "s"): " + parts.joined(separator: ", ")
  }

  /// A line for the user; nil where nothing was left out and nothing is to be said.
  /// - Parameters:
  ///   - path: the source.
  ///   - count: the images that were taken.
  public func note(_ path: String, count images: Int) -> String? {
    guard count > 0 || !remarks.isEmpty else { return nil }
    let said = remarks.sorted { $0.key < $1.key }.map { $1 > 1 ? "\($1) times a \($0)" : "a \($0)" }
    let parts = (count > 0 ? ["left out \(self)"] : []) + said
    return "\(path): \(images) image\(images == 1 ? "" : "s"); \(parts.joined(separator: "; "))"
  }

  /// A name as it is shown, shortened where it is long: archives have names of 64 KiB.
  private static func shown(_ name: ByteName) -> String {
    name.bytes.count <= 200 ? name.description : ByteName(name.bytes.prefix(200)).description + "..."
  }
}
