import Compute
import Foundation
import HDF5

extension Network {
  /// Writes `format`, `format_version`, `config` and `/parameters` into a new file.
  public func write(to file: HDF5File) throws {
    try file.root.setFormat(Self.format)
    try write(to: file.root)
  }

  /// Writes `config` and `parameters` into a group, state_dict names and PyTorch's order of elements.
  public func write(to group: HDF5Group) throws {
    try Self.write(configuration, specifications, to: group) { stateDictTensor($0) }
  }

  /// Writes a network whose tensors come one at a time, so that no more than one is ever in memory.
  ///
  /// - Parameter tensor: gives one entry of `specifications` in PyTorch's order of elements; asked for once each, in
  ///   order.
  /// - Throws: what `tensor` throws; a `Failure` where the file cannot be written.
  public static func write(
    _ configuration: NetworkConfiguration, _ specifications: [ParameterSpecification], to group: HDF5Group,
    tensor: (Int) throws -> Tensor
  ) throws {
    try group.setAttribute("config", try configuration.json())
    let parameters = try group.createGroup("parameters")
    for (index, specification) in specifications.enumerated() {
      try parameters.write(try tensor(index), to: specification.name)
    }
  }
}

extension NetworkConfiguration {
  /// The text of the attribute `config`: one line, keys sorted.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}

extension HDF5Group {
  /// Creates a float32 data set with a tensor's shape and elements.
  public func write(_ tensor: Tensor, to name: String) throws {
    try tensor.withUnsafeBufferPointer { try write($0, shape: tensor.shape, to: name) }
  }
}
