import Checkpoints
import Compute
import Foundation
import HDF5
import Models

/// The network that a fixture holds under `key`.
public func loadNetwork(_ fixture: String, key: String = "ema") throws -> Network {
  try loadNetworkFile(Fixtures.path(fixture), key: key)
}

/// The network that a checkpoint anywhere holds under `key`.
public func loadNetworkFile(_ path: String, key: String = "ema") throws -> Network {
  let module = try Checkpoint.open(path).module(key)
  let configuration = try NetworkConfiguration(
    className: module.className, modelClassName: module.modelClassName, initKeywords: module.initKeywords,
    attributes: module.attributes, origin: path)
  return try Network(configuration: configuration, source: module, origin: path)
}

/// Publishes a network file.
public func writeNetwork(_ network: Network, _ path: String) throws {
  try HDF5File.publish(path) { try network.write(to: $0) }
}

/// A group of recorded weights as the source of a network.
public struct RecordedNetwork: TensorSource {
  let recorded: Recorded
  let group: String
  /// The names of the data sets.
  public let tensorNames: [String]

  /// - Parameter group: holds one data set per tensor, by state_dict names.
  public init(_ recorded: Recorded, _ group: String) throws {
    self.recorded = recorded
    self.group = group
    tensorNames = try recorded.names(group)
  }

  /// The shape of one data set.
  public func shape(of name: String) -> [Int]? {
    guard tensorNames.contains(name) else { return nil }
    return try? recorded.root.dataset(group + "/" + name).shape
  }

  /// One data set.
  public func tensor(_ name: String) throws -> Tensor { try recorded.tensor(group + "/" + name) }
}

extension Network {
  /// A network from recorded weights; the file's attribute `config` describes it.
  public init(recorded: Recorded, weights group: String) throws {
    let configuration = try JSONDecoder().decode(
      NetworkConfiguration.self, from: Data(try recorded.root.stringAttribute("config").utf8))
    try self.init(configuration: configuration, source: try RecordedNetwork(recorded, group), origin: group)
  }
}
