import Diagnostics
import Files
import Foundation
import HDF5
import Images

/// The images of a samples file (`sid-samples`), in one data set or in shards that a virtual data set names.
///
/// What has images alone can be scored; `SampleReader` asks for what a whole archive has beside them.
public final class SampleImages: ImageSource {
  /// The file.
  public let path: String
  /// The number of images.
  public let count: Int
  /// Height, width and channels.
  public let shape: ImageShape
  /// Nothing: there is nothing else in the data set.
  public let leftOut = LeftOut()
  /// The shards; nil where it is one file.
  public let shards: [HDF5VirtualSource]?
  let root: HDF5Group
  private let dataset: HDF5Dataset

  /// Opens the file.
  /// - Throws: a `Failure` where it is none of this format, or a shard is missing.
  public init(_ path: String) throws {
    self.path = path
    let file = try HDF5File.open(path)
    try file.requireFormat(SampleArchiveFormat.format)
    root = file.root
    dataset = try file.root.dataset("images")
    let extents = dataset.shape
    guard extents.count == 4, dataset.elementType == .unsignedInteger(bytes: 1), !extents.dropFirst().contains(0) else {
      throw Failure(.dataError, path, "`images` of shape \(extents); bytes of shape [N, H, W, C] are expected")
    }
    try dataset.requireVirtualSources()
    shards = dataset.virtualSources
    count = extents[0]
    shape = ImageShape(height: extents[1], width: extents[2], channels: extents[3])
  }

  /// The paths of the shards; none where it is one file.
  public var shardPaths: [String] {
    (shards ?? []).map { (path.parentFolder as NSString).appendingPathComponent($0.file) }
  }

  /// Bytes in image, row, column, channel order, checksums verified.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    return try dataset.read(UInt8.self, rows: range)
  }
}
