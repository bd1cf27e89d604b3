import CHDF5
import Diagnostics
import Files
import Foundation

/// Where the rows of a virtual data set are: data sets of files in the same folder, one after another.
///
/// libhdf5 would read what it does not find as fill values, and would hold every file open. So the rows are read from the
/// files themselves, each opened and checked like any other.
final class VirtualLayout {
  /// One file with the rows that it gives.
  struct Source {
    let file: String
    let dataset: String
    let rows: Range<Int>
    /// The first of them in the file; nil where they are all that it has.
    let offset: Int?
  }

  /// What the library says of one entry.
  struct Mapping {
    let file: String
    let dataset: String
    let first: [Int], last: [Int]
    /// The first element in the file; nil where everything there is taken.
    let origin: [Int]?
  }

  let sources: [Source]
  private let folder: String
  /// The source that was read last.
  private var opened: (index: Int, dataset: HDF5Dataset)?

  /// The entries of a data set that is virtual, nil of any other. Call with the library locked.
  /// - Throws: a `Failure` with status `dataError` where a file is named that is not in the same folder.
  static func mappings(of handle: Handle, file: HDF5File, name: String) throws -> [Mapping]? {
    guard let creation = Handle(H5Dget_create_plist(handle.id), release: H5Pclose),
      H5Pget_layout(creation.id) == H5D_VIRTUAL
    else { return nil }
    var count = 0
    guard H5Pget_virtual_count(creation.id, &count) >= 0, count <= 1 << 20 else {
      throw Library.failure(.dataError, file.path, "cannot read where data set `\(name)` is stored")
    }
    return try (0..<count).map { index in
      guard let source = text({ H5Pget_virtual_filename(creation.id, index, $0, $1) }),
        let dataset = text({ H5Pget_virtual_dsetname(creation.id, index, $0, $1) }),
        let space = Handle(H5Pget_virtual_vspace(creation.id, index), release: H5Sclose),
        let box = box(space), let origin = Handle(H5Pget_virtual_srcspace(creation.id, index), release: H5Sclose),
        let start = H5Sget_select_type(origin.id) == H5S_SEL_ALL ? ([], box.last) : self.box(origin)
      else { throw Library.failure(.dataError, file.path, "cannot read where data set `\(name)` is stored") }
      guard VirtualLayoutCheck.isBare(source.utf8) else {
        throw Failure(
          .dataError, file.path, "data set `\(name)` takes rows from \"\(source)\", which is not in the same folder",
          remedy: "put its parts beside it and write the file again")
      }
      guard
        start.first.isEmpty
          || zip(zip(start.first, start.last), zip(box.first, box.last)).allSatisfy({
            $0.1 - $0.0 == $1.1 - $1.0
          })
      else {
        throw Failure(.dataError, file.path, "data set `\(name)` takes a part of \"\(source)\" that has another shape")
      }
      return Mapping(
        file: source, dataset: dataset, first: box.first, last: box.last,
        origin: start.first.isEmpty ? nil : start.first)
    }
  }

  /// - Throws: a `Failure` where rows are in no file, or a file is missing.
  init(_ mappings: [Mapping], shape: [Int], file: HDF5File, name: String) throws {
    folder = file.path.parentFolder
    var next = 0
    var sources: [Source] = []
    func refuse(_ problem: String) -> Failure {
      Failure(
        .dataError, file.path, "the virtual data set `\(name)` of shape \(shape) \(problem)",
        remedy: "write the file again from its parts")
    }
    guard let rows = shape.first else { throw refuse("has no rows") }
    for mapping in mappings.sorted(by: { ($0.first.first ?? 0) < ($1.first.first ?? 0) }) {
      guard mapping.first.count == shape.count,
        zip(mapping.first, mapping.last).dropFirst().map({ $1 - $0 + 1 })
          == Array(shape.dropFirst())
      else { throw refuse("has a part that is not made of whole rows") }
      guard mapping.origin?.dropFirst().allSatisfy({ $0 == 0 }) ?? true else {
        throw refuse("takes a part that is not made of whole rows")
      }
      guard mapping.first[0] == next else { throw refuse("has no part for row \(min(next, mapping.first[0]))") }
      next = mapping.last[0] + 1
      sources.append(
        Source(file: mapping.file, dataset: mapping.dataset, rows: mapping.first[0]..<next, offset: mapping.origin?[0]))
    }
    guard next == rows else { throw refuse("has no part for row \(next)") }
    self.sources = sources
    for source in sources { try requireFile(source.file, of: file.path) }
  }

  /// Reads rows; call with the library locked.
  func read<T: HDF5Scalar>(rows: Range<Int>, of dataset: HDF5Dataset) throws -> [T] {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= dataset.shape[0], "rows \(rows) of \(dataset.shape)")
    var values: [T] = []
    values.reserveCapacity(rows.count * dataset.shape.dropFirst().reduce(1, *))
    var index = sources.partitioningIndex { $0.rows.upperBound > rows.lowerBound }
    while index < sources.count, sources[index].rows.lowerBound < rows.upperBound {
      let source = sources[index]
      let part = rows.clamped(to: source.rows)
      let start = source.rows.lowerBound - (source.offset ?? 0)
      values += try open(index, like: dataset).read(T.self, rows: part.lowerBound - start..<part.upperBound - start)
      index += 1
    }
    return values
  }

  /// Opens every source once; call with the library locked.
  func requireSources(of dataset: HDF5Dataset) throws {
    for index in sources.indices { _ = try open(index, like: dataset) }
  }

  private func open(_ index: Int, like dataset: HDF5Dataset) throws -> HDF5Dataset {
    if let opened, opened.index == index { return opened.dataset }
    let source = sources[index]
    let path = try requireFile(source.file, of: dataset.file.path)
    let name = String(source.dataset.drop { $0 == "/" })
    let found = try HDF5File.open(path).root.dataset(name)
    let end = (source.offset ?? 0) + source.rows.count
    guard found.virtualLayout == nil, found.elementType == dataset.elementType,
      found.shape.count == dataset.shape.count,
      found.shape.dropFirst() == dataset.shape.dropFirst(),
      source.offset == nil ? found.shape[0] == end : found.shape[0] >= end
    else {
      throw Failure(
        .dataError, path,
        "`\(source.dataset)` has the shape \(found.shape), \(dataset.file.path) expects "
          + "\([end] + dataset.shape.dropFirst())")
    }
    opened = (index, found)
    return found
  }

  @discardableResult
  private func requireFile(_ name: String, of path: String) throws -> String {
    let source = (folder as NSString).appendingPathComponent(name)
    var status = stat()
    guard lstat(source, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(
        .noInput, source, "no such file: \((path as NSString).lastPathComponent) takes a part of its rows from it",
        remedy: "keep an archive's files in one folder; a missing shard is made by the command that made the archive")
    }
    return source
  }

  private static func text(_ read: (UnsafeMutablePointer<CChar>?, Int) -> Int) -> String? {
    let length = read(nil, 0)
    guard (0...4096).contains(length) else { return nil }
    var buffer = [CChar](repeating: 0, count: length + 1)
    guard read(&buffer, buffer.count) == length else { return nil }
    return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// First and last element of a selection that is one box.
  private static func box(_ space: Handle) -> (first: [Int], last: [Int])? {
    let rank = Int(H5Sget_simple_extent_ndims(space.id))
    guard (1...8).contains(rank) else { return nil }
    var first = [hsize_t](repeating: 0, count: rank)
    var last = first
    guard H5Sget_select_bounds(space.id, &first, &last) >= 0 else { return nil }
    let (starts, ends) = (first.compactMap { Int(exactly: $0) }, last.compactMap { Int(exactly: $0) })
    guard starts.count == rank, ends.count == rank, ends.allSatisfy({ $0 < 1 << 48 }) else { return nil }
    let size = zip(starts, ends).reduce(1.0) { $0 * Double($1.1 - $1.0 + 1) }
    return Double(H5Sget_select_npoints(space.id)) == size ? (starts, ends) : nil
  }
}

extension Array {
  /// The first index whose element satisfies a condition that holds for all elements after the first one it holds for.
  fileprivate func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
