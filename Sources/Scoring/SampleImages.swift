import Checkpoints
import Diagnostics
import Files
import Foundation
import HDF5
import Images

/// The images of a samples file (`sid-samples`), in one data set or in shards that a virtual data set names.
final class SampleImages: ImageSource {
  let count: Int
  let shape: ImageShape
  let leftOut = LeftOut()
  /// The shards behind a virtual data set.
  let shardPaths: [String]
  private let dataset: HDF5Dataset

  /// - Throws: a `Failure` where the file is none of this format, or a shard is missing.
  init(_ path: String) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat("sid-samples")
    dataset = try file.root.dataset("images")
    let extents = dataset.shape
    guard extents.count == 4, dataset.elementType == .unsignedInteger(bytes: 1), !extents.dropFirst().contains(0) else {
      throw Failure(.dataError, path, "`images` of shape \(extents); bytes of shape [N, H, W, C] are expected")
    }
    try dataset.requireVirtualSources()
    let folder = path.parentFolder as NSString
    shardPaths = (dataset.virtualSources ?? []).map { folder.appendingPathComponent($0.file) }
    count = extents[0]
    shape = ImageShape(height: extents[1], width: extents[2], channels: extents[3])
  }

  func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    return try dataset.read(UInt8.self, rows: range)
  }
}

/// The images of an npz: an array of bytes `arr_0`, [N, H, W, C]. Other arrays, of labels or names, are left out.
final class NumpyImages: ImageSource {
  let count: Int
  let shape: ImageShape
  let leftOut: LeftOut
  private let rows: NumpyRows

  /// - Throws: a `Failure` where the file has no such array.
  init(_ path: String) throws {
    let file = try NumpyFile(path)
    guard file.names.contains("arr_0") else {
      throw Self.refusal(path, names: file.names, expected: "the images `arr_0`")
    }
    let extents = try file.requiredShape(of: "arr_0")
    guard extents.count == 4, !extents.dropFirst().contains(0), extents.dropFirst().allSatisfy({ $0 <= 1 << 16 }) else {
      throw Failure(.dataError, path, "`arr_0` of shape \(extents); bytes of shape [N, H, W, C] are expected")
    }
    rows = try NumpyRows(file, name: "arr_0")
    var leftOut = LeftOut()
    for name in file.names where name != "arr_0" {
      guard file.elementType(of: name) != .uint8 || file.shape(of: name)?.count != 4 else {
        throw Failure(
          .dataError, path, "images in `arr_0` and in `\(name)`: which are meant is not clear",
          remedy: "save one array of images as arr_0")
      }
      leftOut.add(ByteName(name + ".npy"), reason: "array beside the images")
    }
    self.leftOut = leftOut
    count = extents[0]
    shape = ImageShape(height: extents[1], width: extents[2], channels: extents[3])
  }

  func images(_ range: Range<Int>) throws -> [UInt8] { try rows.rows(range) }

  /// The failure of an npz that lacks what is expected, with the names that are there.
  static func refusal(_ path: String, names: [String], expected: String) -> Failure {
    let shown = names.prefix(8).map { "`\($0.oneLine)`" }.joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
    return Failure(
      .dataError, path, "an npz of \(shown); \(expected) are expected",
      remedy: "save images as bytes [N, H, W, C] under that name: np.savez(FILE, arr_0=images)")
  }
}

/// Files of images one after another.
final class ShardedImages: ImageSource {
  let count: Int
  let shape: ImageShape
  let leftOut: LeftOut
  private let parts: [(rows: Range<Int>, source: any ImageSource)]

  /// - Parameters:
  ///   - shards: each with its path, in order.
  ///   - beside: what stands beside the shards and was left out.
  /// - Throws: a `Failure` where a shard's images have another shape than the first's.
  init(_ shards: [(path: String, source: any ImageSource)], beside: LeftOut) throws {
    precondition(!shards.isEmpty, "no shards")
    var leftOut = beside
    for shard in shards { leftOut.add(shard.source.leftOut) }
    self.leftOut = leftOut
    shape = shards[0].source.shape
    var parts: [(Range<Int>, any ImageSource)] = []
    var next = 0
    for (path, source) in shards {
      guard source.shape == shape else {
        throw Failure(.dataError, path, "the images have \(source.shape), those of \(shards[0].path) have \(shape)")
      }
      parts.append((next..<next + source.count, source))
      next += source.count
    }
    (self.parts, count) = (parts, next)
  }

  func images(_ range: Range<Int>) throws -> [UInt8] {
    var pixels: [UInt8] = []
    for part in parts where part.rows.overlaps(range) {
      let rows = part.rows.clamped(to: range)
      pixels += try part.source.images(rows.lowerBound - part.rows.lowerBound..<rows.upperBound - part.rows.lowerBound)
    }
    return pixels
  }
}
