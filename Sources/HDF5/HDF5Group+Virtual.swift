import CHDF5
import Diagnostics

/// Rows that a virtual data set takes from a file of the same folder.
public struct HDF5VirtualSource: Sendable, Equatable {
  /// The file's name, without a folder.
  public let file: String
  /// The number of rows, all that the data set there has.
  public let rows: Int

  /// - Parameters:
  ///   - file: a bare file name.
  ///   - rows: all rows of the data set there.
  public init(file: String, rows: Int) {
    self.file = file
    self.rows = rows
  }
}

extension HDF5Dataset {
  /// The files that the rows are in, in the order of the rows; nil where they are in this file.
  public var virtualSources: [HDF5VirtualSource]? {
    virtualLayout?.sources.map { HDF5VirtualSource(file: $0.file, rows: $0.rows.count) }
  }
}

extension HDF5Group {
  /// Creates a data set whose rows are those of data sets of the same name in other files, one file after another.
  ///
  /// - Parameters:
  ///   - name: of this data set and of those in the other files.
  ///   - shape: the extent of each axis; the first is the sum of the sources' rows.
  ///   - sources: files in the same folder, which need not be there yet.
  ///   - fill: what other programs read where a file is missing. This package refuses to read then.
  public func createVirtualDataset<T: HDF5Scalar>(
    _ name: String, of type: T.Type, shape: [Int], sources: [HDF5VirtualSource], fill: T
  ) throws {
    precondition(
      sources.allSatisfy { VirtualLayoutCheck.isBare($0.file.utf8) && $0.rows > 0 }
        && sources.reduce(0) { $0 + $1.rows } == shape.first, "rows of \(shape) in \(sources.count) files")
    try Library.locked {
      func extents(_ rows: Int) -> [hsize_t] { ([rows] + shape.dropFirst()).map { hsize_t($0) } }
      let rank = Int32(shape.count)
      var fill = fill
      guard let space = Handle(H5Screate_simple(rank, extents(shape[0]), nil), release: H5Sclose),
        let creation = Handle(H5Pcreate(sid_h5p_dataset_create()), release: H5Pclose),
        H5Pset_obj_track_times(creation.id, false) >= 0,
        H5Pset_fill_value(creation.id, T.kind.memoryType, &fill) >= 0
      else { throw failure("cannot prepare data set `\(path(of: name))` of shape \(shape)") }
      var row = 0
      for source in sources {
        let start = [hsize_t(row)] + [hsize_t](repeating: 0, count: shape.count - 1)
        guard let there = Handle(H5Screate_simple(rank, extents(source.rows), nil), release: H5Sclose),
          H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nil, extents(source.rows), nil) >= 0,
          H5Pset_virtual(creation.id, space.id, source.file, name, there.id) >= 0
        else { throw failure("cannot prepare data set `\(path(of: name))` of shape \(shape)") }
        row += source.rows
      }
      guard H5Sselect_all(space.id) >= 0,
        let dataset = Handle(
          H5Dcreate2(handle.id, name, T.kind.fileType, space.id, 0, creation.id, 0), release: H5Dclose)
      else { throw failure("cannot create data set `\(path(of: name))`") }
      _ = dataset.release()
    }
  }
}
