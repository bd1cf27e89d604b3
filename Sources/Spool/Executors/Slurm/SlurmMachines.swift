import Diagnostics
import Files
import Foundation

/// What the kernels of the machines have that Slurm runs stages on: a line of `.machines` in the spool's root for each, as
/// `sidctl machine` prints it there. `sidctl check` reads it.
package final class SlurmMachines {
  /// Its name in the spool's root.
  package static let name = ".machines"
  private static let largestBytes = 1 << 20
  private static let most = 10_000

  private let root: String
  private let note: (String) -> Void
  private var lines: [String: String]?

  /// - Parameters:
  ///   - root: the spool's.
  ///   - note: tells people.
  package init(_ root: String, note: @escaping (String) -> Void) { (self.root, self.note) = (root, note) }

  /// Takes up what jobs wrote of the machines they ran on.
  func take(_ found: [String]) {
    var known = lines ?? Self.read(root)
    var isNew = false
    for line in found {
      guard let name = line.split(separator: " ").first.map(String.init), Self.version(line) != nil,
        known.count < Self.most
      else { continue }
      if known[name] == line { continue }
      known[name] = line
      isNew = true
      if Self.lacksConfinement(line) {
        note("node \(name): no Landlock there: stages can open what lies outside the input roots; see sidctl check")
      }
    }
    lines = known
    guard isNew else { return }
    // What is lost here the next step on that machine writes again.
    let text = known.values.sorted().map { $0 + "\n" }.joined()
    try? DiskFileSystem().publish(Self.name, in: root, Array(text.utf8))
  }

  /// The version of the kernel's Landlock that a line tells; nil where it is no such line.
  private static func version(_ line: String) -> Int? {
    let words = line.split(separator: " ")
    return words.count >= 3 && words[1] == "landlock" ? Int(words[2]) : nil
  }

  /// Whether stages are not confined there.
  static func lacksConfinement(_ line: String) -> Bool { version(line).map { $0 < 2 } ?? false }

  /// What is known, by machine.
  static func read(_ root: String) -> [String: String] {
    guard let bytes = try? DiskFileSystem().read("\(root)/\(name)", limitBytes: largestBytes) else { return [:] }
    var lines: [String: String] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
      if let name = line.split(separator: " ").first { lines[String(name)] = String(line).oneLine }
    }
    return lines
  }

  /// The line of this machine.
  package static var own: String {
    let environment = ProcessInfo.processInfo.environment
    var system = utsname()
    uname(&system)
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    let name = environment["SLURMD_NODENAME"] ?? text(system.nodename)
    return "\(name) landlock \(FileConfinement.version) linux \(text(system.release))"
  }
}
