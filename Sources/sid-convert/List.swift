import ArgumentParser
import Checkpoints
import Compute
import Diagnostics
import Foundation
import HDF5
import Models
import Stage

/// `sid-convert list`.
struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what is in a file, without converting it.",
    discussion: """
      Kind and keys, nested ones joined by dots as --key takes them, then of every network its architecture and every tensor: its name, shape, type in the file, the range of its finite numbers, and \
      how many are not finite. Nothing in the file is executed, and one tensor at a time is read.
      """)

  @Argument(
    help: ArgumentHelp("Any file that sid-convert reads: .pkl, .pt, .safetensors, .npy, .npz, .h5.", valueName: "file"))
  var file: String

  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(SidConvert.program, on: file, options: stage, writing: []) { context in
      let source = try SourceFile.open(file)
      print("\(file): \(source.kind)")
      if stage.dryRun { return }
      for part in try Self.parts(of: source, path: file) { try Self.show(part) }
    }
  }

  /// Tensors that belong together.
  private struct Part {
    let title: String
    let tensors: any TensorSource
    let type: (String) -> String
  }

  private static func parts(of source: SourceFile, path: String) throws -> [Part] {
    switch source {
    case .checkpoint(let checkpoint): return try parts(of: checkpoint)
    case .package(let file):
      let groups = source.networkKeys.isEmpty ? [""] : source.networkKeys
      return try groups.compactMap { key in
        let group = key.isEmpty ? file.root : try file.root.group(key)
        guard group.contains("parameters") else { return nil }
        let config = try group.stringAttribute("config")
        return Part(
          title: (key.isEmpty ? "" : "key \(key): ") + config,
          tensors: HDF5Tensors(try group.group("parameters"), path: path)
        ) { _ in "F32" }
      }
    }
  }

  /// Prints what is no network, key by key, and gives the rest to be shown tensor by tensor.
  private static func parts(of checkpoint: Checkpoint) throws -> [Part] {
    let items = checkpoint.items
    // The keys of a state_dict are its tensors.
    if items.isEmpty || checkpoint.isStateDictionary {
      let tensors = try checkpoint.stateDictionary()
      for (name, what) in tensors.leftOut { print("\(name.oneLine): left out: \(what.oneLine)") }
      let title = try title(of: tensors, checkpoint).map { "state_dict; \($0)" } ?? "tensors"
      return [Part(title: title, tensors: tensors) { tensors.typeName($0) }]
    }
    var parts: [Part] = []
    for item in items {
      let key = "key \(item.shownKey.oneLine)"
      switch item.kind {
      case .module:
        let module = try checkpoint.module(of: item)
        let classes = module.className + (module.modelClassName.map { " around \($0)" } ?? "")
        parts.append(
          Part(title: "\(key): \(classes)\(arguments(module))", tensors: module) { module.tensors.typeName($0) })
      case .stateDictionary:
        let tensors = try checkpoint.tensors(of: item)
        let title = "\(key): \(item.words)" + (try title(of: tensors, checkpoint).map { "; \($0)" } ?? "")
        parts.append(Part(title: title, tensors: tensors) { tensors.typeName($0) })
      case .dictionary, .value: print("\(key): \(item.words.oneLine)")
      }
    }
    return parts
  }

  private static func arguments(_ module: CheckpointModule) -> String {
    guard !module.initKeywords.isEmpty else { return "" }
    return "\n  "
      + module.initKeywords.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      .oneLine
  }

  /// What is known of a state_dict's architecture; nil where nothing is.
  private static func title(of tensors: CheckpointTensors, _ checkpoint: Checkpoint) throws -> String? {
    if let config = checkpoint.metadata["config"] { return "its configuration: \(config.oneLine)" }
    let named = try? WrapperPrefix(tensors, isRecognised: DescribedStateDictionary.isRecognised)
    let prefix = named?.removed.map { "every name with the wrapper's prefix \"\($0)\"; " } ?? ""
    let tensors = named?.tensors ?? tensors
    if let known = try? FeatureArchitecture(inferredFrom: tensors, origin: checkpoint.path), known == .inceptionV3 {
      return prefix + "names and shapes say inception-v3, the feature network of the FID"
    }
    guard let options = try NetworkConfiguration.inferredOptions(from: tensors) else { return nil }
    return prefix + "names and shapes say "
      + options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
  }

  private static func show(_ part: Part) throws {
    print(part.title)
    let names = part.tensors.tensorNames
    let width = min(names.map(\.count).max() ?? 0, 60)
    func line(_ cells: [String]) -> String {
      cells[0].padding(toLength: max(width, cells[0].count), withPad: " ", startingAt: 0) + "  "
        + cells[1].padding(toLength: max(18, cells[1].count), withPad: " ", startingAt: 0) + " "
        + cells[2].padding(toLength: max(5, cells[2].count), withPad: " ", startingAt: 0)
        + cells[3...4].map { String(repeating: " ", count: max(1, 13 - $0.count)) + $0 }.joined() + "  " + cells[5]
    }
    print(line(["name", "shape", "type", "least", "greatest", "not finite"]))
    var total = 0
    for name in names {
      try Interruption.check()
      let tensor = try part.tensors.tensor(name)
      let range = TensorRange(tensor)
      total += tensor.count
      let shape = "[" + tensor.shape.map(String.init).joined(separator: ", ") + "]"
      print(
        line([
          name.oneLine, shape, part.type(name), range.text(range.least), range.text(range.greatest),
          String(range.nonFiniteCount),
        ]))
    }
    print("\(names.count) tensors, \(total) numbers")
  }
}

/// The range of a tensor's finite numbers.
private struct TensorRange {
  private(set) var least = Float.infinity
  private(set) var greatest = -Float.infinity
  private(set) var nonFiniteCount = 0

  init(_ tensor: Tensor) {
    tensor.withUnsafeBufferPointer { values in
      for value in values {
        if value.isFinite {
          least = min(least, value)
          greatest = max(greatest, value)
        } else {
          nonFiniteCount += 1
        }
      }
    }
  }

  /// A bound as text; a dash where no number is finite.
  func text(_ bound: Float) -> String { least > greatest ? "-" : String(format: "%.5g", bound) }
}

extension CheckpointTensors {
  fileprivate func typeName(_ name: String) -> String { elementType(of: name)?.rawValue ?? "" }
}
