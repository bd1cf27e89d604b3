import Compute
import Diagnostics
import Foundation
import HDF5
import Models

/// Weights in a recorded file: a group of tensors by their names, or one vector of all parameters.
package struct RecordedWeights: TensorSource {
  private let tensors: HDF5Tensors?
  private let flat: [Float]
  private let places: [String: Range<Int>]
  private var shapes: [String: [Int]] = [:]
  package let tensorNames: [String]
  private let path: String

  /// Reads `NAME`, a group or a vector, or the vector `NAME_flat`, of a group; nil where there is neither.
  /// - Parameter specifications: the network's parameters, which have the sizes where the file does not say them.
  package init?(
    _ group: HDF5Group, _ name: String, of file: HDF5File, path: String,
    specifications: [ParameterSpecification]? = nil
  ) throws {
    self.path = path
    if group.contains(name), let inner = try? group.group(name) {
      let tensors = HDF5Tensors(inner, path: path)
      (self.tensors, flat, places, tensorNames) = (tensors, [], [:], tensors.tensorNames)
      return
    }
    guard let vector = [name, name + "_flat"].first(where: { group.contains($0) }) else { return nil }
    let (order, sizes) = try Self.order(of: file.root, specifications, path: path)
    flat = try group.dataset(vector).read(Float.self)
    var places: [String: Range<Int>] = [:]
    var start = 0
    for (name, size) in zip(order, sizes) {
      guard size > 0, size <= flat.count - start else { break }
      places[name] = start..<start + size
      start += size
    }
    guard places.count == order.count, order.count == sizes.count, start == flat.count else {
      throw Failure(.dataError, path, "\"\(vector)\" has \(flat.count) elements, not those of `parameter_sizes`")
    }
    (tensors, self.places, tensorNames) = (nil, places, order)
  }

  private static func order(of root: HDF5Group, _ specifications: [ParameterSpecification]?, path: String) throws
    -> ([String], [Int])
  {
    guard let order = root.hasAttribute("parameter_order") ? try? names(of: root) : nil,
      let sizes = root.hasAttribute("parameter_sizes")
        ? try? sizes(of: root) : specifications.flatMap({ sizes(of: $0, order) })
    else {
      throw Failure(
        .dataError, path, "no lists `parameter_order` and `parameter_sizes` for its vectors of weights")
    }
    return (order, sizes)
  }

  private static func names(of root: HDF5Group) throws -> [String] {
    try JSONDecoder().decode([String].self, from: Data(try root.stringAttribute("parameter_order").utf8))
  }

  /// The numbers of elements: integers, or their list in JSON.
  private static func sizes(of root: HDF5Group) throws -> [Int] {
    if let sizes = try? root.intsAttribute("parameter_sizes") { return sizes }
    return try JSONDecoder().decode([Int].self, from: Data(try root.stringAttribute("parameter_sizes").utf8))
  }

  /// Those of a network's parameters; nil where it does not have all of them.
  private static func sizes(of specifications: [ParameterSpecification], _ order: [String]) -> [Int]? {
    let known = Dictionary(
      specifications.map { ($0.name, $0.shape.reduce(1, *)) }, uniquingKeysWith: { first, _ in first })
    let sizes = order.compactMap { known[$0] }
    return sizes.count == order.count ? sizes : nil
  }

  /// Gives the elements of a vector the shapes of an architecture.
  package mutating func shape(as configuration: NetworkConfiguration, path: String) throws {
    for specification in try Network.specifications(of: configuration, origin: path) {
      shapes[specification.name] = specification.shape
    }
  }

  package func shape(of name: String) -> [Int]? {
    if let tensors { return tensors.shape(of: name) }
    guard let place = places[name] else { return nil }
    guard let shape = shapes[name], shape.reduce(1, *) == place.count else { return [place.count] }
    return shape
  }

  package func tensor(_ name: String) throws -> Tensor {
    if let tensors { return try tensors.tensor(name) }
    guard let place = places[name], let shape = shape(of: name) else {
      throw Failure(.dataError, path, "tensor \"\(name)\" is missing")
    }
    return Tensor(Array(flat[place]), shape: shape)
  }
}
