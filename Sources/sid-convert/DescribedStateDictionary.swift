import Checkpoints
import ConfigurationFiles
import Compute
import Diagnostics
import Files
import Models

/// A state_dict and all that is known of its architecture: from `--config`, from the file, from names and shapes.
struct DescribedStateDictionary {
  let checkpoint: Checkpoint
  let key: String?
  let description: (options: [String: PlainValue], origin: String)?

  /// The content, and what was done and left on the way.
  /// - Throws: a `Failure`: `configuration` where `--config` is wrong, `dataError` where the architecture remains open.
  func content() throws -> (content: SourceContent, reading: SourceReading) {
    let found = try stateDictionary()
    let recorded = checkpoint.metadata["config"].flatMap { PlainValue(json: $0) }
    var options: [String: PlainValue] = [:]
    if case .dictionary(let fields)? = recorded { options = fields }
    let layers = try layered(options)
    // Layers have the names that the configuration gives them.
    let hasLayers = { (tensors: CheckpointTensors) in layers?.parameterNames.isSubset(of: tensors.tensorNames) ?? false
    }
    let named = hasLayers(found) ? nil : try WrapperPrefix(found) { try hasLayers($0) || Self.isRecognised($0) }
    let tensors = named?.tensors ?? found
    let reading = SourceReading(removedPrefix: named?.removed, leftOut: tensors.leftOut)
    if let layers { return (.features(.layered(layers), tensors), reading) }
    if description == nil, let architecture = try FeatureArchitecture(inferredFrom: tensors, origin: checkpoint.path) {
      return (.features(architecture, tensors), reading)
    }
    return (.denoiser(try configuration(recorded: options, tensors), tensors), reading)
  }

  /// Whether names and shapes are those of a network that is known without a description.
  static func isRecognised(_ tensors: CheckpointTensors) throws -> Bool {
    if try NetworkConfiguration.inferredOptions(from: tensors) != nil { return true }
    return (try? FeatureArchitecture(inferredFrom: tensors, origin: "")) == .inceptionV3
  }

  /// The list of layers that `--config` gives, or the file itself where there is none.
  private func layered(_ recorded: [String: PlainValue]) throws -> FeatureNetworkConfiguration? {
    if let description {
      guard description.options["layers"] != nil else { return nil }
      return try FeatureNetworkConfiguration(description.options, origin: description.origin)
    }
    guard recorded["layers"] != nil else { return nil }
    return try FeatureNetworkConfiguration(recorded, origin: checkpoint.path, status: .dataError)
  }

  /// What `--config` says wins over what the file says of itself, and that over what shapes tell.
  private func configuration(
    recorded: [String: PlainValue], _ tensors: CheckpointTensors
  ) throws -> NetworkConfiguration {
    let given = description?.options ?? [:]
    var options = recorded
    if options.isEmpty, let inferred = try NetworkConfiguration.inferredOptions(from: tensors),
      given["model_type"] == nil || given["model_type"] == inferred["model_type"]
    {
      options = inferred
    }
    let isKnown = options["model_type"] != nil
    options.merge(given) { _, given in given }
    if let description { return try ConfigurationFile.network(options, origin: description.origin) }
    guard isKnown else {
      // A damaged file is to be told from one that lacks a description.
      try tensors.verifyChecksums()
      throw Failure(
        .dataError, checkpoint.path,
        "a \(checkpoint.kind.rawValue) that holds no network as an object (keys: \(keys))",
        remedy: "give the architecture of a state_dict with --config")
    }
    guard case .text(let precond)? = options.removeValue(forKey: "precond") else {
      throw Failure(
        .dataError, checkpoint.path,
        "the tensors are a \(options["model_type"]?.textValue ?? "network")'s, but neither names nor shapes say which "
          + "preconditioner it has", remedy: "give its class with --config, for example `precond: EDMPrecond`")
    }
    return try NetworkConfiguration(
      className: precond, modelClassName: nil, initKeywords: options, origin: checkpoint.path)
  }

  private func stateDictionary() throws -> CheckpointTensors {
    do {
      return try checkpoint.stateDictionary(key: key)
    } catch let failure as Failure where failure.status == .dataError {
      let candidates = checkpoint.candidates
      guard !candidates.isEmpty else { throw failure }
      let known = candidates.filter(isNetwork)
      let keys = (known.isEmpty ? candidates : known).map(\.key)
      throw Failure(
        .dataError, checkpoint.path, failure.problem,
        remedy: keys.count == 1
          ? "give \(known.isEmpty ? "it" : "the network") with --key \(keys[0])"
          : "name one of them with --key: \(keys.prefix(8).joined(separator: ", "))")
    }
  }

  /// Whether what stands under a key is a network by its class, or by names and shapes.
  private func isNetwork(_ item: CheckpointItem) -> Bool {
    if case .module = item.kind { return true }
    guard let tensors = try? checkpoint.tensors(of: item),
      let named = try? WrapperPrefix(tensors, isRecognised: Self.isRecognised)
    else { return false }
    return (try? Self.isRecognised(named.tensors)) ?? false
  }

  private var keys: String {
    checkpoint.keys.prefix(4).joined(separator: ", ") + (checkpoint.keys.count > 4 ? ", ..." : "")
  }
}
