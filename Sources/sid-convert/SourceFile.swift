import Checkpoints
import Compute
import Diagnostics
import Files
import HDF5
import Models
import Training

/// What a source holds, with the tensors still in the source.
enum SourceContent {
  /// A preconditioned network.
  case denoiser(NetworkConfiguration, any TensorSource)
  /// A feature network.
  case features(FeatureArchitecture, any TensorSource)
  /// Everything that the official trainer saves to go on.
  case trainingState(OfficialTrainingState)
}

/// A file that networks are converted from: another program's checkpoint, or a file of this package.
enum SourceFile {
  case checkpoint(Checkpoint)
  case package(HDF5File)

  /// Opens a file and reads its index; the kind is told by the content, never by the name.
  /// - Throws: `noInput` where it does not exist, `dataError` where it is malformed.
  static func open(_ path: String) throws -> SourceFile {
    let signature: [UInt8] = [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A]
    let beginning = try InputFile.beginning(of: path, expected: "a checkpoint", count: signature.count)
    return beginning == signature ? .package(try HDF5File.open(path)) : .checkpoint(try Checkpoint.open(path))
  }

  /// The content in words, for `list` and messages.
  var kind: String {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.kind.rawValue
    case .package(let file): (try? file.root.formatName()) ?? "HDF5 file"
    }
  }

  /// The keys under which there are networks, each with what it takes to read it.
  var networkKeys: [String] {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.moduleKeys
    case .package(let file):
      ["fake_score", "generator", "generator_ema", "denoiser", "denoiser_ema"].filter { file.root.contains($0) }
    }
  }

  /// What is to be converted.
  ///
  /// - Parameters:
  ///   - key: which network; nil for the file's own choice.
  ///   - description: the options of `--config`, and the name of that file; nil where it is not given.
  /// - Throws: a `Failure` where there is nothing of that key, or where the architecture remains open.
  func content(key: String?, description: (options: [String: PlainValue], origin: String)?) throws -> (
    content: SourceContent, reading: SourceReading
  ) {
    switch self {
    case .package(let file):
      return (try Self.content(of: file, key: key, hasDescription: description != nil), SourceReading())
    case .checkpoint(let checkpoint):
      if key == nil, description == nil, let state = try OfficialTrainingState(checkpoint) {
        return (.trainingState(state), SourceReading())
      }
      let isObject = key.map(checkpoint.isModule) ?? !checkpoint.moduleKeys.isEmpty
      guard isObject else {
        return try DescribedStateDictionary(checkpoint: checkpoint, key: key, description: description).content()
      }
      guard description == nil else { throw Self.superfluousDescription(checkpoint.path) }
      let module = try checkpoint.module(key ?? "ema")
      return (.denoiser(try module.configuration(origin: checkpoint.path), module), SourceReading())
    }
  }

  private static func content(of file: HDF5File, key: String?, hasDescription: Bool) throws -> SourceContent {
    let (root, path) = (file.root, file.path)
    guard !hasDescription else { throw superfluousDescription(path) }
    switch try root.formatName() {
    case Network.format.name:
      try file.requireFormat(Network.format)
      guard key == nil else { throw Failure(.usage, "--key", "\(path) holds one network, without a key") }
      return .denoiser(
        try Network.configuration(of: root, path: path), HDF5Tensors(try root.group("parameters"), path: path))
    case FeatureNetwork.format.name:
      try file.requireFormat(FeatureNetwork.format)
      guard key == nil else { throw Failure(.usage, "--key", "\(path) holds one network, without a key") }
      return .features(
        try FeatureArchitecture(text: try root.stringAttribute("config"), origin: path),
        HDF5Tensors(try root.group("parameters"), path: path))
    case TrainingState.format.name:
      let keys = SourceFile.package(file).networkKeys
      guard let key, keys.contains(key) else {
        throw Failure(
          .usage, "--key", "\(path) is a training state of several networks",
          remedy: "name one of them: \(keys.joined(separator: ", "))")
      }
      let group = try root.group(key)
      return .denoiser(
        try Network.configuration(of: group, path: path), HDF5Tensors(try group.group("parameters"), path: path))
    case let format:
      throw Failure(
        .dataError, path, "a file of \(format.map { "format \($0)" } ?? "no format"), which holds no network")
    }
  }

  private static func superfluousDescription(_ path: String) -> Failure {
    Failure(.usage, "--config", "is for a state_dict; \(path) describes its networks itself")
  }
}

extension CheckpointModule {
  /// The architecture that the object describes.
  func configuration(origin: String) throws -> NetworkConfiguration {
    guard initPositionalCount == 0 else {
      throw Failure(
        .dataError, origin, "the \(className) was made with positional arguments, which are not understood")
    }
    let needed = opaque.attributes.filter { NetworkConfiguration.optionsInAttributes.contains($0.key) }
    if let (name, what) = opaque.keywords.merging(needed, uniquingKeysWith: { $1 }).min(by: { $0.key < $1.key }) {
      throw Failure(
        .dataError, origin, "the option \"\(name)\" of the \(className) is \(what); a plain value is expected")
    }
    let ofNetwork = modelAttributes.filter { $0.key == "label_dropout" }
    return try NetworkConfiguration(
      className: className, modelClassName: modelClassName, initKeywords: initKeywords,
      attributes: attributes.merging(ofNetwork) { outer, _ in outer }, origin: origin)
  }
}
