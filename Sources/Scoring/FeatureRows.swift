import Compute
import Diagnostics
import HDF5

/// Feature vectors (or class scores) of images, one row an image, wherever they are kept.
public protocol FeatureRows {
  /// The number of rows.
  var count: Int { get }
  /// The length of a row.
  var width: Int { get }
  /// Some rows, [range.count, width].
  /// - Throws: a `Failure` naming the file that cannot be read.
  func rows(_ range: Range<Int>) throws -> Tensor
}

extension FeatureRows {
  /// The rows of some places, in their order, [places.count, width].
  func rows(at places: [Int]) throws -> Tensor {
    try Tensor(shape: [places.count, width]) { target in
      for (row, place) in places.enumerated() {
        try rows(place..<place + 1).values.withUnsafeBufferPointer { source in
          if let base = source.baseAddress { (target + row * width).update(from: base, count: width) }
        }
      }
    }
  }

  /// Calls `body` with all rows, block after block.
  /// - Throws: what `body` or reading throws; `Interrupted` where the process was asked to stop.
  func forEachBlock(of blockRows: Int, count limit: Int? = nil, _ body: (Int, Tensor) throws -> Void) throws {
    let end = min(limit ?? count, count)
    for first in stride(from: 0, to: end, by: blockRows) {
      try Interruption.check()
      try body(first, rows(first..<min(first + blockRows, end)))
    }
  }
}

/// Rows in memory.
public struct MemoryRows: FeatureRows, Sendable {
  private let tensor: Tensor

  /// - Parameter tensor: [count, width].
  public init(_ tensor: Tensor) {
    precondition(tensor.shape.count == 2, "rows of shape \(tensor.shape)")
    self.tensor = tensor
  }

  /// The number of rows.
  public var count: Int { tensor.shape[0] }
  /// The length of a row.
  public var width: Int { tensor.shape[1] }
  /// Some rows, [range.count, width].
  public func rows(_ range: Range<Int>) -> Tensor { tensor.rows(range) }
}

/// Rows that lie in an HDF5 file.
struct StoredRows: FeatureRows, Sendable {
  let count: Int
  let width: Int
  private let stored: StoredFloats

  /// - Parameter dataset: [count, width], float32, contiguous.
  init(_ dataset: HDF5Dataset, path: String) throws {
    guard dataset.shape.count == 2, dataset.shape[1] > 0, dataset.count == 0 || dataset.storedFloats != nil else {
      throw Failure(
        .dataError, path, "`\(dataset.name)` of shape \(dataset.shape); float32 of shape [N, D] is expected",
        remedy: "make the file again with sid-score")
    }
    (count, width) = (dataset.shape[0], dataset.shape[1])
    guard let stored = dataset.storedFloats else {
      throw Failure(.dataError, path, "`\(dataset.name)` holds no rows")
    }
    self.stored = stored
  }

  func rows(_ range: Range<Int>) throws -> Tensor {
    try Tensor(shape: [range.count, width]) { target in
      try stored.read(range.lowerBound * width..<range.upperBound * width, into: target)
    }
  }
}
