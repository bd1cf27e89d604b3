import Diagnostics
import HDF5
import Images
import Training

/// The images of a few seeds as a training went on, as its network keeps them.
struct SampleCourse: Sendable {
  /// The images of one evaluation.
  struct Row: Sendable {
    /// Thousands of images seen.
    let kimg: Double
    let pictures: [Picture]
  }

  /// The seeds of the images.
  let seeds: [UInt64]
  /// In the order of the training.
  let rows: [Row]
  /// Height, width and channels of an image.
  let shape: ImageShape

  /// The largest side of a picture: there are many, and they are shown small.
  private static let largestSide = 64
  /// The most trainings of which images are shown.
  static let mostShown = 8

  /// - Parameter path: of a network that was trained here.
  /// - Returns: nil where it keeps none.
  /// - Throws: a `Failure` where it cannot be read.
  init?(_ path: String) throws {
    guard let history = try SampleHistory(reading: HDF5File.open(path).root, path: path) else { return nil }
    let extents = history.imageShape
    guard extents.count == 3, [1, 3].contains(extents[2]) else {
      throw Failure(.dataError, path, "images of \(extents) have no picture")
    }
    let shape = ImageShape(height: extents[0], width: extents[1], channels: extents[2])
    seeds = history.seeds
    rows = try history.rows.map { row in
      Row(
        kimg: row.kimg,
        pictures: try history.seeds.indices.map {
          try Picture(
            row.images[$0 * shape.count..<($0 + 1) * shape.count], shape: shape, largestSide: Self.largestSide)
        })
    }
    self.shape = shape
  }
}
