import Compute
import Diagnostics
import HDF5
import Images

/// What a recorded training holds of one micro-batch: numbers in data sets of a group.
package struct RecordedMicroBatch {
  private let group: HDF5Group
  private let name: String
  private let path: String

  /// - Parameters:
  ///   - name: the group's.
  ///   - file: the record.
  ///   - path: the record's, for errors.
  /// - Throws: a `Failure` (`dataError`) where there is no such group.
  package init(_ name: String, in file: HDF5File, path: String) throws {
    guard file.root.contains(name) else { throw Failure(.dataError, path, "\(name) is missing") }
    (group, self.name, self.path) = (try file.root.group(name), name, path)
  }

  /// Some numbers.
  /// - Throws: a `Failure` (`dataError`) where they are missing or of another shape.
  package func tensor(_ numbers: String, _ shape: [Int]) throws -> Tensor {
    try require(numbers)
    let dataset = try group.dataset(numbers)
    guard dataset.shape == shape else {
      throw Failure(
        .dataError, path, "\(name)/\(numbers) has shape \(dataset.shape); \(shape) is expected",
        remedy: "these numbers were recorded for another network")
    }
    return Tensor(try dataset.read(Float.self), shape: shape)
  }

  /// Images of bytes, [N, C, H, W] in the record, as networks take them: [N, H, W, C], from -1 to 1.
  /// - Throws: a `Failure` (`dataError`) where they are missing, of another shape, or no bytes.
  package func images(_ numbers: String, _ shape: [Int]) throws -> Tensor {
    let bytes = try tensor(numbers, shape)
    guard bytes.values.allSatisfy({ (0...255).contains($0) }) else {
      throw Failure(.dataError, path, "\(name)/\(numbers) holds what is no byte")
    }
    return Tensor(bytes.values.map { normalized(UInt8($0)) }, shape: shape).nhwc
  }

  /// An augmentation by the draws of a group.
  /// - Parameters:
  ///   - draws: the group's name.
  ///   - images: of the micro-batch.
  ///   - probability: of each augmentation.
  ///   - imageShape: [H, W, C].
  /// - Throws: a `Failure` (`dataError`) where draws are missing, or there are more than the pipeline makes.
  package func augmentation(_ draws: String, images: Int, probability: Float, imageShape: [Int]) throws -> Augmentation
  {
    try require(draws)
    let pipeline = AugmentationPipeline(probability: probability)
    let recorded = try AugmentationDraws.recorded(
      in: try group.group(draws), called: "\(name)/\(draws)", images: images, pipeline, path: path)
    return pipeline(recorded, imageShape: imageShape)
  }

  private func require(_ numbers: String) throws {
    guard group.contains(numbers) else { throw Failure(.dataError, path, "\(name)/\(numbers) is missing") }
  }
}
