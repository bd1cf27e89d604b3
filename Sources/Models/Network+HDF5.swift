import Compute
import Diagnostics
import Foundation
import HDF5

/// Tensors stored as the data sets of one HDF5 group.
public struct HDF5Tensors: TensorSource {
  private let datasets: [String: Result<HDF5Dataset, any Error>]
  private let path: String
  /// The names of the data sets, in stored order.
  public let tensorNames: [String]

  /// - Parameters:
  ///   - group: holds one data set per tensor.
  ///   - path: the file that errors name.
  public init(_ group: HDF5Group, path: String) {
    self.path = path
    tensorNames = group.names
    datasets = Dictionary(tensorNames.map { name in (name, Result { try group.dataset(name) }) }) { first, _ in first }
  }

  /// What is stored plainly is read by all threads at once.
  public var isConcurrent: Bool { true }

  /// The shape of one data set; nil where there is none of that name.
  public func shape(of name: String) -> [Int]? { try? datasets[name]?.get().shape }

  /// The weights of a 3x3 convolution, left in the file.
  func deferredWeights(_ name: String) -> DeferredWeights? {
    guard let dataset = try? datasets[name]?.get(), let stored = dataset.storedFloats else { return nil }
    let row = dataset.shape[1] * 9
    return DeferredWeights(outputs: dataset.shape[0], inputs: dataset.shape[1], taps: 9) { outputs, target in
      let range = outputs.lowerBound * row..<outputs.upperBound * row
      do { try stored.read(range, into: target) } catch { target.update(repeating: .nan, count: range.count) }
    }
  }

  /// The numbers of one data set.
  /// - Throws: a `Failure` where it is missing or holds no numbers.
  public func tensor(_ name: String) throws -> Tensor {
    try Interruption.check()
    guard let dataset = try datasets[name]?.get() else {
      throw Failure(.dataError, path, "tensor \"\(name)\" is missing")
    }
    guard dataset.isFloatingPoint else {
      throw Failure(.dataError, path, "tensor \"\(name)\" holds integers, not numbers")
    }
    if let stored = dataset.storedFloats {
      return try Tensor(shape: dataset.shape) { try stored.read(0..<stored.count, into: $0) }
    }
    return Tensor(try dataset.read(Float.self), shape: dataset.shape)
  }
}

extension Network {
  /// The `format` attribute of a network file.
  public static let format = HDF5Format("sid-network")

  /// Reads a network file (`sid-network`).
  /// - Parameters:
  ///   - path: the file.
  ///   - deferringWeights: leaves the large weights in the file until a layer needs them: for sampling, which reads each
  ///     once. The file must stay as it is; what can no longer be read becomes NaN.
  /// - Throws: a `Failure` naming the file and what in it is missing, unknown, of another shape or not finite.
  public init(contentsOf path: String, deferringWeights: Bool = false) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    let tensors = HDF5Tensors(try file.root.group("parameters"), path: path)
    try self.init(configuration: try Self.configuration(of: file.root, path: path), source: tensors, origin: path) {
      deferringWeights ? tensors.deferredWeights($0) : nil
    }
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
