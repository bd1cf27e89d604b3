import Checkpoints
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Training

/// A training state of an official trainer (`training-state-NNNNNN.pt`): SiD's and SiDA's with three networks and two
/// optimizers, EDM's with one of each.
///
/// SiD's and EDM's trainers save the networks as objects, SiDA's as state_dicts of networks with EDM's preconditioning. EDM's
/// leaves the average to the snapshot of the same number.
struct OfficialTrainingState {
  private typealias SavedNetwork = (tensors: any TensorSource, configuration: () throws -> NetworkConfiguration)

  /// What a trainer saves, by its keys.
  private struct Layout {
    let networks: [String], optimizers: [String]
    let areObjects: Bool
  }

  private static let layouts = [
    Layout(
      networks: ["fake_score", "G", "G_ema"], optimizers: ["fake_score_optimizer_state", "g_optimizer_state"],
      areObjects: true),
    Layout(
      networks: ["fake_score_state", "G_state", "G_ema_state"],
      optimizers: ["fake_score_optimizer_state", "g_optimizer_state"], areObjects: false),
    Layout(networks: ["net"], optimizers: ["optimizer_state"], areObjects: true),
  ]

  private let path: String
  private let layout: Layout
  /// Each with its architecture.
  private var networks: [SavedNetwork]
  private let optimizers: [OptimizerState]

  /// - Returns: nil for a checkpoint that is none.
  init?(_ checkpoint: Checkpoint) throws {
    let (keys, objects) = (Set(checkpoint.keys), Set(checkpoint.moduleKeys))
    guard
      let layout = Self.layouts.first(where: {
        keys.isSuperset(of: $0.optimizers) && ($0.areObjects ? objects : keys).isSuperset(of: $0.networks)
      })
    else { return nil }
    let path = checkpoint.path
    networks = try layout.networks.map { key in
      if layout.areObjects { return try Self.object(key, of: checkpoint) }
      let tensors = try checkpoint.stateDictionary(key: key)
      return (tensors, { try Self.configuration(of: tensors, key: key, origin: path) })
    }
    (self.path, self.layout) = (path, layout)
    optimizers = try layout.optimizers.map { try checkpoint.optimizerState($0) }
  }

  private static func object(_ key: String, of checkpoint: Checkpoint) throws -> SavedNetwork {
    let module = try checkpoint.module(key)
    return (module, { try module.configuration(origin: checkpoint.path) })
  }

  /// Whether it is one of EDM's trainer, of a teacher.
  var isOfTeacher: Bool { layout.networks.count == 1 }

  /// The same with the average of a teacher, which is in another file.
  /// - Throws: a `Failure` where this is no snapshot.
  func with(averageOf snapshot: Checkpoint) throws -> OfficialTrainingState {
    var state = self
    state.networks.append(try Self.object("ema", of: snapshot))
    return state
  }

  /// The architecture of the network that is made.
  func configuration() throws -> NetworkConfiguration { try networks[isOfTeacher ? 0 : 1].configuration() }

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
    let saved: [ImportedTrainingState.SavedTraining] =
      try isOfTeacher
      ? [.init(name: "denoiser", network: network(0), average: network(1), adam: adam(0, watch))]
      : [
        .init(name: "fake_score", network: network(0), average: nil, adam: adam(0, watch)),
        .init(name: "generator", network: network(1), average: network(2), adam: adam(1, watch)),
      ]
    return ImportedTrainingState(networks: saved, progress: try progress())
  }

  private func adam(_ index: Int, _ watch: Watch) throws -> ImportedTrainingState.SavedAdam {
    let optimizer = optimizers[index]
    let key = layout.optimizers[index]
    guard let group = optimizer.parameterGroups.first, optimizer.parameterGroups.count == 1,
      case .list(let betas)? = group["betas"], betas.count == 2, let beta1 = betas[0].realValue,
      let beta2 = betas[1].realValue, let epsilon = group["eps"]?.realValue, let rate = group["lr"]?.realValue,
      (0..<1).contains(beta1), (0..<1).contains(beta2), epsilon > 0, epsilon.isFinite
    else { throw Failure(.dataError, path, "\(key) is not the state of an Adam with betas, eps and lr") }
    guard (group["weight_decay"]?.realValue ?? 0) == 0, group["amsgrad"]?.integerValue ?? 0 == 0 else {
      throw Failure(.dataError, path, "\(key) has weight decay or amsgrad, which the official trainer does not use")
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

  /// The trainer names the file by the thousands of images seen; under another name the optimizer's steps tell.
  private func progress() throws -> ImportedTrainingState.Progress {
    let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    let digits = name.split(separator: "-").last.map(String.init) ?? ""
    if name.contains("training-state-"), digits.allSatisfy(\.isASCII), let kimg = Int(digits),
      (0...1 << 40).contains(kimg)
    {
      return .images(kimg * 1000)
    }
    let optimizer = optimizers[optimizers.count - 1]
    return .iterations(try optimizer.parameterIndices.map { try optimizer.step(parameter: $0) }.max() ?? 0)
  }
}
