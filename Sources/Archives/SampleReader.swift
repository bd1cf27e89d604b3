import Diagnostics
import Foundation
import HDF5
import Images

/// An archive of samples that is read in order: one file, or shards stitched together.
public final class SampleReader {
  /// The `provenance` attribute.
  public let provenance: String
  private let pictures: SampleImages
  private let labelSet: HDF5Dataset?
  private let seedSet: HDF5Dataset

  /// Opens an archive.
  /// - Throws: a `Failure` where it is none, or a shard is missing.
  public init(_ path: String) throws {
    pictures = try SampleImages(path)
    let root = pictures.root
    provenance = try root.stringAttribute("provenance")
    seedSet = try root.dataset("seeds")
    labelSet = root.contains("labels") ? try root.dataset("labels") : nil
    guard count > 0 else { throw Failure(.dataError, path, "it has no images") }
    guard seedSet.shape == [count], labelSet?.shape ?? [count] == [count] else {
      throw Failure(.dataError, path, "it has \(count) images and another number of seeds or labels")
    }
  }

  /// The file.
  public var path: String { pictures.path }
  /// The number of images.
  public var count: Int { pictures.count }
  /// Height, width and channels.
  public var shape: ImageShape { pictures.shape }
  /// The shards; nil where it is one file.
  public var shards: [HDF5VirtualSource]? { pictures.shards }
  /// Whether images have classes.
  public var hasLabels: Bool { labelSet != nil }

  /// Bytes in image, row, column, channel order, checksums verified.
  public func images(_ range: Range<Int>) throws -> [UInt8] { try pictures.images(range) }

  /// The classes; nil where there are none.
  public func labels(_ range: Range<Int>) throws -> [Int]? {
    try labelSet?.read(Int64.self, rows: range).map { Int($0) }
  }

  /// The seeds.
  public func seeds(_ range: Range<Int>) throws -> [UInt64] { try seedSet.read(UInt64.self, rows: range) }
}
