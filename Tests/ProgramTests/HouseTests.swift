import Foundation
import TestSupport
import Testing

/// What stands on what, as Package.swift and the imports say it.
@Suite("The house")
struct HouseTests {
  /// The modules from the ground up: each stands on those of lower floors alone.
  private static let floors: [Set<String>] = [
    ["CLinux", "CVector", "COpenBLAS", "CHDF5", "CPNG", "CJPEG", "CZlib", "CArchive", "CSystemd", "CMPI", "COpenSSL"],
    ["Diagnostics", "Records", "KernelInterface"],
    ["Processor", "Files", "Kernels", "KernelsV4"],
    ["OptionValues", "HDF5", "Images", "YAML", "JobFolder", "Compute"],
    ["Checkpoints", "Autograd", "TrainingData", "Stage", "Queue"],
    ["Models", "Spool"],
    ["Sampling", "Training", "ConfigurationFiles"],
    ["Archives"],
    ["Scoring"],
    ["Denoising", "Report", "MPIRanks", "ScoringStage"],
    ["Distillation", "TrainingStage"],
    [
      "sid-bench", "sid-convert", "sid-distill", "sid-report", "sid-sample", "sid-score", "sid-spoold", "sid-train",
      "sidctl",
    ],
  ]

  /// What the daemon, its client and what they are made of never reach.
  private static let numerics: Set<String> = [
    "Compute", "COpenBLAS", "HDF5", "CHDF5", "Images", "Models", "Checkpoints",
  ]

  /// Modules that may know the parser of command lines.
  private static let parsing: Set<String> = ["Stage", "ScoringStage", "TrainingStage"]

  /// What every module may import without saying so.
  private static let system: Set<String> = ["Foundation", "Synchronization", "Glibc", "Dispatch"]

  @Test("has no arrow that runs up, and no module on no floor")
  func floors() throws {
    let targets = try Self.targets()
    #expect(Set(targets.keys) == Self.floors.reduce(into: []) { $0.formUnion($1) })
    for (name, dependencies) in targets {
      let floor = try #require(Self.floors.firstIndex { $0.contains(name) }, "\(name) stands on no floor")
      for dependency in dependencies where targets[dependency] != nil {
        let below = Self.floors.firstIndex { $0.contains(dependency) } ?? floor
        #expect(below < floor, "\(name) stands on \(dependency)")
      }
    }
  }

  @Test("keeps the daemon from numerics and from what users' files are read with")
  func daemon() throws {
    let targets = try Self.targets()
    for name in ["Queue", "Spool", "sid-spoold", "sidctl"] {
      #expect(Self.reached(from: name, targets).isDisjoint(with: Self.numerics), "\(name)")
    }
    #expect(Self.reached(from: "sid-score", targets).isSuperset(of: Self.numerics))
  }

  @Test("imports what it says, and the parser of command lines where commands are")
  func imports() throws {
    var count = 0
    for (name, dependencies) in try Self.targets() {
      let folder = Fixtures.repository + "/Sources/" + name
      for path in try FileManager.default.subpathsOfDirectory(atPath: folder) where path.hasSuffix(".swift") {
        let text = try String(contentsOfFile: folder + "/" + path, encoding: .utf8)
        for imported in text.split(separator: "\n").compactMap(Self.imported) where !Self.system.contains(imported) {
          count += 1
          // Yams brings the module of its C part along.
          let said = dependencies.contains(imported) || imported == "CYaml" && dependencies.contains("Yams")
          #expect(said, "\(name)/\(path) imports \(imported), of which Package.swift does not say")
          if imported == "ArgumentParser" {
            #expect(Self.parsing.contains(name) || name.hasPrefix("sid"), "\(name)/\(path) parses command lines")
          }
        }
      }
    }
    #expect(count > 500)
  }

  /// The module that a line imports, if it does.
  private static func imported(_ line: Substring) -> String? {
    guard line.contains("import ") else { return nil }
    var words = line.split(separator: " ").drop { $0.hasPrefix("@") || accessLevels.contains($0) }
    guard words.popFirst() == "import" else { return nil }
    return words.first.map { String($0) }
  }

  private static let accessLevels: Set<Substring> = ["public", "package", "internal", "private", "fileprivate"]

  /// Everything a target stands on.
  private static func reached(from target: String, _ targets: [String: Set<String>]) -> Set<String> {
    var (seen, open) = (Set<String>(), [target])
    while let next = open.popLast() {
      for other in targets[next] ?? [] where seen.insert(other).inserted { open.append(other) }
    }
    return seen
  }

  /// The targets in Sources and what they depend on, from Package.swift.
  private static func targets() throws -> [String: Set<String>] {
    let package = try String(contentsOfFile: Fixtures.repository + "/Package.swift", encoding: .utf8)
      .replacing(/(?:^|\s)\/\/ .*/, with: "")
    var targets: [String: Set<String>] = [:]
    let kernels: Set<String> = ["CVector", "KernelInterface"]
    (targets["Kernels"], targets["KernelsV4"]) = (kernels, kernels)
    let declaration = /\.(?:target|executableTarget|systemLibrary)\(\s*name: "([\w-]+)"/
    for match in package.matches(of: declaration) {
      // To the parenthesis that closes it.
      var (depth, end) = (1, match.range.upperBound)
      while depth > 0, end < package.endIndex {
        depth += package[end] == "(" ? 1 : package[end] == ")" ? -1 : 0
        end = package.index(after: end)
      }
      let body = package[match.range.upperBound..<end]
      guard !body.contains("path: \"Tests/") else { continue }
      var dependencies: Set<String> = []
      if let list = body.range(of: "dependencies:") {
        dependencies = Set(body[list.upperBound...].matches(of: /"([A-Z][\w]*|sid[\w-]*)"/).map { String($0.output.1) })
        if body.contains("argumentParser") { dependencies.insert("ArgumentParser") }
        if body.contains("yams") { dependencies.insert("Yams") }
        if body.contains("kernelSets") { dependencies.formUnion(["Kernels", "KernelsV4"]) }
      }
      targets[String(match.output.1)] = dependencies
    }
    return targets
  }
}
