import Diagnostics
import Foundation
import HDF5
import Images

/// An archive of samples that is read in order: one file, or shards stitched together.
public final class SampleReader {
  /// The file.
  public let path: String
  /// The number of images.
  public let count: Int
  /// Height, width and channels.
  public let shape: ImageShape
  /// The `provenance` attribute.
  public let provenance: String
  /// The shards; nil where it is one file.
  public let shards: [HDF5VirtualSource]?
  private let imageSet: HDF5Dataset
  private let labelSet: HDF5Dataset?
  private let seedSet: HDF5Dataset

  /// Opens an archive.
  /// - Throws: a `Failure` where it is none, or a shard is missing.
  public init(_ path: String) throws {
    self.path = path
    let file = try HDF5File.open(path)
    try file.requireFormat(SampleArchiveFormat.name)
    provenance = try file.root.stringAttribute("provenance")
    imageSet = try file.root.dataset("images")
    seedSet = try file.root.dataset("seeds")
    labelSet = file.root.contains("labels") ? try file.root.dataset("labels") : nil
    let extents = imageSet.shape
    guard extents.count == 4, imageSet.elementType == .unsignedInteger(bytes: 1), !extents.contains(0) else {
      throw Failure(.dataError, path, "`images` of shape \(extents); bytes of shape [N, H, W, C] are expected")
    }
    count = extents[0]
    guard seedSet.shape == [extents[0]], labelSet?.shape ?? [extents[0]] == [extents[0]] else {
      throw Failure(.dataError, path, "it has \(extents[0]) images and another number of seeds or labels")
    }
    shape = ImageShape(height: extents[1], width: extents[2], channels: extents[3])
    shards = imageSet.virtualSources
  }

  /// Whether images have classes.
  public var hasLabels: Bool { labelSet != nil }

  /// Bytes in image, row, column, channel order, checksums verified.
  public func images(_ range: Range<Int>) throws -> [UInt8] { try imageSet.read(UInt8.self, rows: range) }

  /// The classes; nil where there are none.
  public func labels(_ range: Range<Int>) throws -> [Int]? {
    try labelSet?.read(Int64.self, rows: range).map { Int($0) }
  }

  /// The seeds.
  public func seeds(_ range: Range<Int>) throws -> [UInt64] { try seedSet.read(UInt64.self, rows: range) }
}
