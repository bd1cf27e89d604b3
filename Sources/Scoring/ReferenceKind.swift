import Archives
import Checkpoints
import Diagnostics
import Files
import Foundation
import HDF5
import Models

/// What a file holds that samples can be compared with.
public enum ReferenceKind: Sendable, Equatable {
  /// Statistics, perhaps with kept features: `sid-statistics`, or an npz with `mu` and `sigma`.
  case statistics
  /// Images, whose statistics are made on the way.
  case images

  /// Looks at a file's content.
  ///
  /// - Parameters:
  ///   - path: the file or folder.
  ///   - needsFeatures: whether statistics alone do not do; an npz that has images too then counts as images.
  /// - Throws: a `Failure` where it cannot be opened.
  public init(_ path: String, needsFeatures: Bool = false) throws {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw Failure(
        .noInput, path, errno == ENOENT ? "no such file" : "cannot open: \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      self = .images
      return
    }
    let beginning = try InputFile.beginning(of: path, expected: "a file of statistics or images", count: 8)
    if beginning.starts(with: [0x50, 0x4B]) {
      guard (try? NumpyFile.isArchive(path)) == true, let file = try? NumpyFile(path) else {
        self = .images
        return
      }
      let hasImages = file.names.contains("arr_0")
      let hasStatistics = file.names.contains("mu") || file.names.contains("sigma")
      guard hasImages || hasStatistics else {
        throw NumpyImages.refusal(path, names: file.names, expected: "images `arr_0`, or statistics `mu` and `sigma`,")
      }
      self = hasStatistics && !(needsFeatures && hasImages) || !hasImages ? .statistics : .images
      return
    }
    guard beginning == [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A] else {
      self = .images
      return
    }
    let root = try HDF5File.open(path).root
    guard let format = try root.formatName() else {
      throw Failure(
        .dataError, path,
        "no attribute `format`: a file of format \(FeatureStatistics.format.name) or \(SampleArchiveFormat.format.name) is "
          + "expected")
    }
    guard format != StatisticsPart.format.name else {
      throw Failure(
        .dataError, path, "it is one share of the statistics of a set of images",
        remedy: "put all shares together first: sid-score merge")
    }
    self = format == FeatureStatistics.format.name ? .statistics : .images
  }
}

extension FeatureNetwork {
  /// The convention to use where no statistics say one: the given one, or the only one that the network has.
  ///
  /// - Parameters:
  ///   - name: what the user asks for; nil for nothing.
  ///   - features: the network's file.
  /// - Throws: a `Failure` (`usage`) where there is a choice and none was made, or the network does not know it.
  public func convention(_ wanted: InputConvention?, features: String) throws -> InputConvention {
    let names = conventions.map(\.rawValue).joined(separator: " and ")
    guard let wanted else {
      if conventions.count == 1, let only = conventions.first { return only }
      throw Failure(
        .usage, features, "the network knows several input conventions: \(names)", remedy: "give --convention")
    }
    guard conventions.contains(wanted) else {
      throw Failure(.usage, features, "the network does not know the input convention \(wanted.rawValue), but \(names)")
    }
    return wanted
  }
}
