import Checkpoints
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Training

/// A training state of the official SiD or SiDA trainer (`training-state-NNNNNN.pt`): three networks and two optimizers.
///
/// SiD's trainer saves the networks as objects, SiDA's as state_dicts of networks with EDM's preconditioning.
struct OfficialTrainingState {
  private static let networkKeys = ["fake_score", "G", "G_ema"]
  private static let stateDictionaryKeys = ["fake_score_state", "G_state", "G_ema_state"]
  private static let optimizerKeys = ["fake_score_optimizer_state", "g_optimizer_state"]

  private let path: String
  /// Each with its architecture.
  private let networks: [(tensors: any TensorSource, configuration: () throws -> NetworkConfiguration)]
  private let optimizers: [OptimizerState]

  /// - Returns: nil for a checkpoint that is none.
  init?(_ checkpoint: Checkpoint) throws {
    guard Set(checkpoint.keys).isSuperset(of: Self.optimizerKeys) else { return nil }
    let path = checkpoint.path
    if Set(checkpoint.moduleKeys).isSuperset(of: Self.networkKeys) {
      networks = try Self.networkKeys.map { key in
        let module = try checkpoint.module(key)
        return (module, { try module.configuration(origin: path) })
      }
    } else if Set(checkpoint.keys).isSuperset(of: Self.stateDictionaryKeys) {
      networks = try Self.stateDictionaryKeys.map { key in
        let tensors = try checkpoint.stateDictionary(key: key)
        return (tensors, { try Self.configuration(of: tensors, key: key, origin: path) })
      }
    } else {
      return nil
    }
    self.path = path
    optimizers = try Self.optimizerKeys.map { try checkpoint.optimizerState($0) }
  }

  /// The generator's architecture.
  func configuration() throws -> NetworkConfiguration { try networks[1].configuration() }

  /// What names and shapes say of a network of SiDA's.
  private static func configuration(of tensors: CheckpointTensors, key: String, origin: String) throws
    -> NetworkConfiguration
  {
    guard var options = try NetworkConfiguration.inferredOptions(from: tensors) else {
      throw Failure(.dataError, origin, "\(key) holds the tensors of no network that is known")
    }
    options["precond"] = nil
    return try NetworkConfiguration(
      className: "EDMPrecond", modelClassName: nil, initKeywords: options, origin: origin)
  }

  /// Tensors that are read to convert it.
  var tensorCount: Int {
    networks.reduce(0) { $0 + $1.tensors.tensorNames.count }
      + optimizers.reduce(0) { $0 + 2 * $1.parameterIndices.count }
  }

  /// Shapes of all tensors of the networks, for an estimate.
  var networkShapes: [[Int]] {
    networks.flatMap { network in network.tensors.tensorNames.compactMap { network.tensors.shape(of: $0) } }
  }

  /// The same for this package; every tensor passes through `watch` when it is read.
  func imported(_ watch: Watch) throws -> ImportedTrainingState {
    func network(_ index: Int) throws -> ImportedTrainingState.SavedNetwork {
      .init(
        configuration: try networks[index].configuration(),
        tensors: WatchedTensors(tensors: networks[index].tensors, watch: watch))
    }
    return ImportedTrainingState(
      networks: [
        .init(name: "fake_score", network: try network(0), average: nil, adam: try adam(0, watch)),
        .init(name: "generator", network: try network(1), average: try network(2), adam: try adam(1, watch)),
      ], progress: try progress())
  }

  private func adam(_ index: Int, _ watch: Watch) throws -> ImportedTrainingState.SavedAdam {
    let optimizer = optimizers[index]
    let key = Self.optimizerKeys[index]
    guard let group = optimizer.parameterGroups.first, optimizer.parameterGroups.count == 1,
      case .list(let betas)? = group["betas"], betas.count == 2, let beta1 = betas[0].realValue,
      let beta2 = betas[1].realValue, let epsilon = group["eps"]?.realValue, let rate = group["lr"]?.realValue,
      (0..<1).contains(beta1), (0..<1).contains(beta2), epsilon > 0, epsilon.isFinite
    else { throw Failure(.dataError, path, "\(key) is not the state of an Adam with betas, eps and lr") }
    guard (group["weight_decay"]?.realValue ?? 0) == 0, group["amsgrad"]?.integerValue ?? 0 == 0 else {
      throw Failure(.dataError, path, "\(key) has weight decay or amsgrad, which SiD does not use")
    }
    let known = Set(optimizer.parameterIndices)
    return .init(beta1: beta1, beta2: beta2, epsilon: epsilon, learningRate: rate) { number in
      guard known.contains(number) else { return nil }
      return (
        try optimizer.step(parameter: number), try watch.read { try optimizer.tensor("exp_avg", parameter: number) },
        try watch.read { try optimizer.tensor("exp_avg_sq", parameter: number) }
      )
    }
  }

  /// The trainer names the file by the thousands of images seen; under another name the generator's steps tell.
  private func progress() throws -> ImportedTrainingState.Progress {
    let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    let digits = name.split(separator: "-").last.map(String.init) ?? ""
    if name.contains("training-state-"), digits.allSatisfy(\.isASCII), let kimg = Int(digits),
      (0...1 << 40).contains(kimg)
    {
      return .images(kimg * 1000)
    }
    return .iterations(try optimizers[1].parameterIndices.map { try optimizers[1].step(parameter: $0) }.max() ?? 0)
  }
}
