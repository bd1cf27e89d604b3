import Diagnostics
import HDF5

/// The images of a few seeds as the average made them at evaluations on the way: what there is to see of a training.
///
/// It is kept small: once there are more than `mostRows` evaluations, the one between the nearest neighbours goes, so that what
/// is left stays spread over the training. What is kept depends on the evaluations alone, not on where a run was interrupted.
public struct SampleHistory: Sendable, Equatable {
  /// The images of one evaluation.
  public struct Row: Sendable, Equatable {
    /// Thousands of images seen.
    public let kimg: Double
    /// Bytes, [seeds, height, width, channels].
    public let images: [UInt8]
  }

  /// The seeds of the images.
  public let seeds: [UInt64]
  /// Height, width and channels of an image.
  public let imageShape: [Int]
  /// In the order of the training.
  public private(set) var rows: [Row] = []

  /// Evaluations that are kept.
  public static let mostRows = 24
  /// Images of one evaluation.
  public static let mostImages = 8
  /// Bytes of all images: of large ones fewer are kept of each evaluation.
  public static let mostBytes = 16 << 20

  /// How many images of each evaluation are kept.
  /// - Parameter imageBytes: bytes of an image.
  public static func imageCount(imageBytes: Int) -> Int {
    min(mostImages, max(1, mostBytes / (mostRows * max(1, imageBytes))))
  }

  /// Nothing yet.
  /// - Parameters:
  ///   - seeds: of the images, in their order.
  ///   - imageShape: height, width and channels.
  public init(seeds: [UInt64], imageShape: [Int]) { (self.seeds, self.imageShape) = (seeds, imageShape) }

  /// Bytes of the images of one evaluation.
  public var rowBytes: Int { seeds.count * imageShape.reduce(1, *) }

  /// Takes the images of an evaluation behind the last one.
  /// - Parameters:
  ///   - images: bytes, [seeds, height, width, channels].
  ///   - kimg: thousands of images seen.
  public mutating func add(_ images: [UInt8], kimg: Double) {
    precondition(images.count == rowBytes, "\(images.count) bytes of images of \(imageShape)")
    rows.append(Row(kimg: kimg, images: images))
    guard rows.count > Self.mostRows else { return }
    // The first and the last stay; of equal gaps the earliest closes.
    let crowded = (1..<rows.count - 1).min { gap(around: $0) < gap(around: $1) }
    if let crowded { rows.remove(at: crowded) }
  }

  private func gap(around index: Int) -> Double { rows[index + 1].kimg - rows[index - 1].kimg }
}

extension SampleHistory {
  private static let groupName = "course"

  /// Writes a group `course`: `samples` [rows, seeds, height, width, channels], `kimg` [rows] and `seeds`; nothing where there is
  /// nothing.
  public func write(to root: HDF5Group) throws {
    guard !rows.isEmpty else { return }
    let group = try root.createGroup(Self.groupName)
    try group.write(
      rows.flatMap(\.images), shape: [rows.count, seeds.count] + imageShape, to: "samples",
      storage: .chunked(rows: 1, checksum: true, deflate: 6))
    try group.write(rows.map(\.kimg), shape: [rows.count], to: "kimg")
    try group.write(seeds, shape: [seeds.count], to: "seeds")
  }

  /// Reads what `write(to:)` wrote into a state or a network; nil where there is no such group.
  /// - Parameter path: the file that errors name.
  /// - Throws: a `Failure` (`dataError`) where it is something else, or more than is ever kept.
  public init?(reading root: HDF5Group, path: String) throws {
    guard root.contains(Self.groupName) else { return nil }
    let group = try root.group(Self.groupName)
    let (samples, positions, numbers) = (
      try group.dataset("samples"), try group.dataset("kimg"), try group.dataset("seeds")
    )
    let shape = samples.shape
    guard shape.count == 5, samples.elementType == .unsignedInteger(bytes: 1), !shape.contains(0),
      shape[0] <= Self.mostRows, shape[1] <= Self.mostImages, positions.shape == [shape[0]],
      numbers.shape == [shape[1]], shape.reduce(1.0, { $0 * Double($1) }) <= 4 * Double(Self.mostBytes)
    else {
      throw Failure(
        .dataError, path,
        "`\(Self.groupName)/samples` has shape \(shape); bytes of up to \(Self.mostRows) evaluations of up to "
          + "\(Self.mostImages) images are expected")
    }
    let kimg = try positions.read(Double.self)
    guard kimg.allSatisfy({ $0 >= 0 && $0.isFinite }), zip(kimg, kimg.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw Failure(.dataError, path, "the evaluations of `\(Self.groupName)` are not in the order of a training")
    }
    self.init(seeds: try numbers.read(UInt64.self), imageShape: Array(shape[2...]))
    rows = try kimg.enumerated().map { index, kimg in
      Row(kimg: kimg, images: try samples.read(UInt8.self, rows: index..<index + 1))
    }
  }
}
