import Compute
import HDF5

/// A file of recorded vectors.
public struct Recorded {
  private let file: HDF5File

  /// Opens a fixture, for example `golden/nets/edm_ddpmpp_cond.h5`.
  public init(_ name: String) throws { file = try HDF5File.open(Fixtures.path(name)) }

  /// The root group, for attributes and listings.
  public var root: HDF5Group { file.root }

  /// Whether there is such a group or data set.
  public func contains(_ name: String) -> Bool {
    var group = file.root
    let parts = name.split(separator: "/").map(String.init)
    for (index, part) in parts.enumerated() {
      guard group.contains(part) else { return false }
      if index == parts.count - 1 { return true }
      guard let next = try? group.group(part) else { return false }
      group = next
    }
    return false
  }

  /// A data set as it is stored.
  public func tensor(_ name: String) throws -> Tensor {
    let dataset = try file.root.dataset(name)
    return Tensor(try dataset.read(Float.self), shape: dataset.shape)
  }

  /// Images stored as [N, C, H, W], in this package's order.
  public func images(_ name: String) throws -> Tensor { try tensor(name).nhwc }

  /// The numbers of a data set in double precision.
  public func numbers(_ name: String) throws -> [Double] { try file.root.dataset(name).read(Double.self) }

  /// The names in a group, in stored order.
  public func names(_ group: String) throws -> [String] { try file.root.group(group).names }
}

/// How far two arrays are apart.
public struct Distance: CustomStringConvertible {
  /// The largest absolute difference.
  public let maximum: Double
  /// L2 norm of the difference over L2 norm of what was expected.
  public let relative: Double
  /// Squared norms, to combine distances of several arrays.
  public let squares: (difference: Double, expected: Double)

  /// - Precondition: arrays of one length.
  public init(_ values: [Float], _ expected: [Float]) {
    self.init(values.map(Double.init), expected.map(Double.init))
  }

  /// The same in double precision.
  public init(_ values: [Double], _ expected: [Double]) {
    precondition(values.count == expected.count, "\(values.count) values, \(expected.count) expected")
    var (maximum, difference, norm) = (0.0, 0.0, 0.0)
    for (a, b) in zip(values, expected) {
      let d = a.isNaN || b.isNaN ? .infinity : abs(a - b)
      maximum = max(maximum, d)
      difference += d * d
      norm += b * b
    }
    self.maximum = maximum
    relative = difference == 0 ? 0 : (difference / norm).squareRoot()
    squares = (difference, norm)
  }

  /// Both measures.
  public var description: String { "max \(maximum), relative \(relative)" }
}
