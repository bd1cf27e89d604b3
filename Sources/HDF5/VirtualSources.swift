import CHDF5
import Diagnostics

/// One source of a virtual data set: rows of a data set in another file.
public struct VirtualSource: Sendable, Equatable {
  /// The name of the file, without any folder.
  public let fileName: String
  /// The path of the data set inside it.
  public let datasetName: String
  /// The rows of the virtual data set that it holds.
  public let rows: Range<Int>
  /// The first of its own rows.
  public let firstRow: Int
}

extension HDF5Group {
  /// The sources of a virtual data set, in the order of its rows; nil where the data set is stored in this file.
  ///
  /// libhdf5 reads what a missing source should hold as zeros, and opens files wherever a source says. So virtual data sets
  /// are not read through it: whoever wants the rows opens the sources, each of which has the checks of any other file.
  ///
  /// - Throws: a `Failure` with status `dataError` where a source is no bare file name, where sources overlap or leave a
  ///   gap, or where anything but whole rows is mapped.
  public func virtualSources(of member: String) throws -> (shape: [Int], sources: [VirtualSource])? {
    try Library.locked {
      guard contains(member), let handle = Handle(H5Dopen2(location.handle.id, member, 0), release: H5Dclose),
        let creation = Handle(H5Dget_create_plist(handle.id), release: H5Pclose)
      else { throw Failure(.dataError, file.path, "there is no data set `\(member)`") }
      guard H5Pget_layout(creation.id) == H5D_VIRTUAL else { return nil }
      let shape = try HDF5Dataset.shape(of: H5Dget_space(handle.id), file: file, name: member)
      var count = 0
      guard !shape.isEmpty, H5Pget_virtual_count(creation.id, &count) >= 0, (1...1 << 20).contains(count) else {
        throw Failure(.dataError, file.path, "virtual data set `\(member)` has no sources")
      }
      let sources = try (0..<count).map { try source($0, of: member, creation, shape: shape) }
        .sorted { $0.rows.lowerBound < $1.rows.lowerBound }
      var next = 0
      for source in sources {
        guard source.rows.lowerBound == next else {
          throw Failure(
            .dataError, file.path,
            "the sources of virtual data set `\(member)` \(source.rows.lowerBound > next ? "leave out" : "overlap at") row "
              + "\(min(next, source.rows.lowerBound))")
        }
        next = source.rows.upperBound
      }
      guard next == shape[0] else {
        throw Failure(.dataError, file.path, "the sources of virtual data set `\(member)` leave out row \(next)")
      }
      return (shape, sources)
    }
  }

  private func source(_ index: Int, of member: String, _ creation: Handle, shape: [Int]) throws -> VirtualSource {
    func refuse(_ problem: String) -> Failure {
      Failure(.dataError, file.path, "source \(index + 1) of virtual data set `\(member)` \(problem)")
    }
    func text(_ read: (UnsafeMutablePointer<CChar>?, Int) -> Int) -> String? {
      let length = read(nil, 0)
      guard (1...4096).contains(length) else { return nil }
      var buffer = [CChar](repeating: 0, count: length + 1)
      guard read(&buffer, buffer.count) == length else { return nil }
      return String(validating: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    let fileName = text { Int(H5Pget_virtual_filename(creation.id, index, $0, $1)) }
    let datasetName = text { Int(H5Pget_virtual_dsetname(creation.id, index, $0, $1)) }
    guard let fileName, let datasetName else { throw refuse("has no name") }
    // "." is this very file, "%b" counts blocks.
    guard !fileName.contains("/"), !fileName.hasPrefix("."), !fileName.contains("%"), !datasetName.contains("%") else {
      throw refuse("is \"\(fileName)\"; the bare name of a file in the same folder is expected")
    }
    guard let target = Handle(H5Pget_virtual_vspace(creation.id, index), release: H5Sclose),
      let origin = Handle(H5Pget_virtual_srcspace(creation.id, index), release: H5Sclose),
      let rows = Self.rows(target.id), rows.shape == shape, rows.range.upperBound <= shape[0]
    else { throw refuse("maps something else than whole rows") }
    // All of the source: as many rows as it is expected to have, which is found out when it is opened.
    if H5Sget_select_type(origin.id) == H5S_SEL_ALL {
      return VirtualSource(fileName: fileName, datasetName: datasetName, rows: rows.range, firstRow: 0)
    }
    guard let own = Self.rows(origin.id), own.range.count == rows.range.count,
      own.shape.dropFirst() == rows.shape.dropFirst()
    else { throw refuse("maps something else than whole rows") }
    return VirtualSource(
      fileName: fileName, datasetName: datasetName, rows: rows.range, firstRow: own.range.lowerBound)
  }

  /// The rows that a selection consists of; nil where it is anything but whole rows without gaps.
  private static func rows(_ space: hid_t) -> (range: Range<Int>, shape: [Int])? {
    let rank = Int(H5Sget_simple_extent_ndims(space))
    guard (1...8).contains(rank) else { return nil }
    var (extents, limits) = ([hsize_t](repeating: 0, count: rank), [hsize_t](repeating: 0, count: rank))
    var (first, last) = (extents, extents)
    guard H5Sget_simple_extent_dims(space, &extents, &limits) == Int32(rank), extents == limits,
      H5Sget_select_npoints(space) > 0, H5Sget_select_bounds(space, &first, &last) >= 0,
      (1..<rank).allSatisfy({ first[$0] == 0 && last[$0] + 1 == extents[$0] })
    else { return nil }
    let shape = extents.map { Int(clamping: $0) }
    let count = Int(clamping: last[0]) - Int(clamping: first[0]) + 1
    var points = count
    for extent in shape.dropFirst() {
      let product = points.multipliedReportingOverflow(by: extent)
      guard !product.overflow else { return nil }
      points = product.partialValue
    }
    guard Int(clamping: H5Sget_select_npoints(space)) == points else { return nil }
    return (Int(clamping: first[0])..<Int(clamping: first[0]) + count, shape)
  }
}
