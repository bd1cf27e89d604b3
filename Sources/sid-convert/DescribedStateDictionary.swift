import Checkpoints
import Compute
import Diagnostics
import Files
import Models

/// A state_dict and all that is known of its architecture: from `--config`, from the file, from names and shapes.
struct DescribedStateDictionary {
  let checkpoint: Checkpoint
  let key: String?
  let description: (options: [String: PlainValue], origin: String)?

  /// - Throws: a `Failure`: `configuration` where `--config` is wrong, `dataError` where the architecture remains open.
  func content() throws -> SourceContent {
    let tensors = try stateDictionary()
    let recorded = checkpoint.metadata["config"].flatMap { PlainValue(json: $0) }
    var options: [String: PlainValue] = [:]
    if case .dictionary(let fields)? = recorded { options = fields }
    if let description, description.options["layers"] != nil {
      let configuration = try FeatureNetworkConfiguration(description.options, origin: description.origin)
      return .features(.layered(configuration), tensors)
    }
    if options["layers"] != nil, description == nil {
      let configuration = try FeatureNetworkConfiguration(options, origin: checkpoint.path, status: .dataError)
      return .features(.layered(configuration), tensors)
    }
    if description == nil, let architecture = try FeatureArchitecture(inferredFrom: tensors, origin: checkpoint.path) {
      return .features(architecture, tensors)
    }
    return .denoiser(try configuration(recorded: options, tensors), tensors)
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
    } catch let failure as Failure where key == nil && failure.status == .dataError {
      throw Failure(
        .dataError, checkpoint.path, failure.problem,
        remedy: "name the key of a network or state_dict with --key; keys: \(keys)")
    }
  }

  private var keys: String {
    checkpoint.keys.prefix(4).joined(separator: ", ") + (checkpoint.keys.count > 4 ? ", ..." : "")
  }
}
