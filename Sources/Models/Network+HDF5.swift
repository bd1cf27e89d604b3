import Compute
import Diagnostics
import Foundation
import HDF5

/// Tensors stored as the data sets of one HDF5 group.
public struct HDF5Tensors: TensorSource {
  private let group: HDF5Group
  private let path: String
  /// The names of the data sets, in stored order.
  public let tensorNames: [String]

  /// - Parameters:
  ///   - group: holds one data set per tensor.
  ///   - path: the file that errors name.
  public init(_ group: HDF5Group, path: String) {
    self.group = group
    self.path = path
    tensorNames = group.names
  }

  /// The shape of one data set; nil where there is none of that name.
  public func shape(of name: String) -> [Int]? {
    guard group.contains(name) else { return nil }
    return try? group.dataset(name).shape
  }

  /// The numbers of one data set.
  /// - Throws: a `Failure` where it is missing or holds no numbers.
  public func tensor(_ name: String) throws -> Tensor {
    guard group.contains(name) else { throw Failure(.dataError, path, "tensor \"\(name)\" is missing") }
    let dataset = try group.dataset(name)
    guard dataset.isFloatingPoint else {
      throw Failure(.dataError, path, "tensor \"\(name)\" holds integers, not numbers")
    }
    return Tensor(try dataset.read(Float.self), shape: dataset.shape)
  }
}

extension Network {
  /// The `format` attribute of a network file.
  public static let format = "sid-network"

  /// Reads a network file (`sid-network`).
  /// - Throws: a `Failure` naming the file and what in it is missing, unknown, of another shape or not finite.
  public init(contentsOf path: String) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    try self.init(
      configuration: try Self.configuration(of: file.root, path: path),
      source: HDF5Tensors(try file.root.group("parameters"), path: path), origin: path)
    if let name = firstNonFiniteParameter {
      throw Failure(.dataError, path, "tensor \"\(name)\" holds numbers that are not finite")
    }
  }

  /// The configuration in the `config` attribute of a group.
  public static func configuration(of group: HDF5Group, path: String) throws -> NetworkConfiguration {
    let text = try group.stringAttribute("config")
    do {
      return try JSONDecoder().decode(NetworkConfiguration.self, from: Data(text.utf8))
    } catch {
      throw Failure(.dataError, path, "the attribute \"config\" does not describe a network: \(Self.reason(error))")
    }
  }

  /// What a decoding error is about, without the decoder's own vocabulary.
  private static func reason(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, _): "\"\(key.stringValue)\" is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\"\(context.codingPath.map(\.stringValue).joined(separator: "."))\" has another type"
    default: "it is not JSON"
    }
  }

  /// Reads a network from a group that `write(to:)` wrote; `path` is the file that errors name.
  public init(reading group: HDF5Group, path: String) throws {
    try self.init(
      configuration: try Self.configuration(of: group, path: path),
      source: HDF5Tensors(try group.group("parameters"), path: path),
      origin: path)
  }
}
