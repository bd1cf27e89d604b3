import CHDF5
import Diagnostics

/// A data set of an HDF5 file: an array of numbers or strings.
public struct HDF5Dataset: HDF5Object {
  /// Where it is.
  public let location: HDF5Location
  /// The extent of each axis, outermost first; empty for a scalar.
  public let shape: [Int]
  /// What the elements are in the file.
  public let elementType: HDF5ElementType
  /// Where the rows are, if they are in other files.
  let virtualLayout: VirtualLayout?

  /// Whether the elements are floating-point numbers.
  public var isFloatingPoint: Bool {
    if case .floatingPoint = elementType { return true }
    return false
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Call with the library locked.
  init(file: HDF5File, name: String, handle: Handle) throws {
    location = HDF5Location(file: file, name: name, handle: handle)
    // Before the library is asked for a shape, for which it might open other files.
    let mappings = file.isReadOnly ? try VirtualLayout.mappings(of: handle, file: file, name: name) : nil
    shape = try Self.shape(of: H5Dget_space(handle.id), file: file, name: name)
    elementType = ElementType.of(H5Dget_type(handle.id))
    virtualLayout = try mappings.map { [shape] in try VirtualLayout($0, shape: shape, file: file, name: name) }
    if virtualLayout == nil { try checkStorage() }
  }

  /// Reads all elements, row-major, converted to `T`.
  /// - Throws: a `Failure` with status `dataError` where they are no numbers, are floating-point numbers and `T` is an
  ///   integer, or do not match their checksum.
  public func read<T: HDF5Scalar>(_ type: T.Type = T.self) throws -> [T] {
    try Library.locked {
      try checkConvertible(to: type)
      if let virtualLayout { return try virtualLayout.read(rows: 0..<shape[0], of: self) }
      return try read(count: count, memorySpace: 0, fileSpace: 0)
    }
  }

  /// Reads the rows `rows` of the outermost axis.
  /// - Throws: as `read(_:)`.
  public func read<T: HDF5Scalar>(_ type: T.Type = T.self, rows: Range<Int>) throws -> [T] {
    try Library.locked {
      try checkConvertible(to: type)
      if let virtualLayout { return try virtualLayout.read(rows: rows, of: self) }
      let spaces = try select(rows)
      return try read(count: spaces.count, memorySpace: spaces.memory.id, fileSpace: spaces.file.id)
    }
  }

  /// Writes the rows `rows` of the outermost axis.
  /// - Parameter values: as many as the rows hold, row-major.
  public func write<T: HDF5Scalar>(_ values: [T], rows: Range<Int>) throws {
    try Library.locked {
      let spaces = try select(rows)
      precondition(values.count == spaces.count, "\(values.count) values for rows \(rows) of \(shape)")
      guard values.isEmpty || H5Dwrite(handle.id, T.kind.memoryType, spaces.memory.id, spaces.file.id, 0, values) >= 0
      else { throw failure("cannot write data set `\(name)`") }
    }
  }

  /// Reads all elements as text; strings of fixed and of variable length.
  public func strings() throws -> [String] {
    try Library.locked {
      guard virtualLayout == nil, let type = Handle(H5Dget_type(handle.id), release: H5Tclose),
        let space = Handle(H5Dget_space(handle.id), release: H5Sclose)
      else { throw failure("cannot read data set `\(name)`") }
      let strings = StringBuffer.read(type: type, space: space, count: count, limitBytes: file.sizeBytes) {
        H5Dread(handle.id, $0, 0, 0, 0, $1)
      }
      guard let strings else { throw failure("data set `\(name)` does not hold readable strings") }
      return strings
    }
  }

  func writeAll<T: HDF5Scalar>(_ values: UnsafeBufferPointer<T>) throws {
    try Library.locked {
      guard values.isEmpty || H5Dwrite(handle.id, T.kind.memoryType, 0, 0, 0, values.baseAddress) >= 0 else {
        throw failure("cannot write data set `\(name)`")
      }
    }
  }

  private func read<T: HDF5Scalar>(count: Int, memorySpace: hid_t, fileSpace: hid_t) throws -> [T] {
    if count == 0 { return [] }
    return try [T](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard H5Dread(handle.id, T.kind.memoryType, memorySpace, fileSpace, 0, buffer.baseAddress) >= 0 else {
        throw failure("cannot read data set `\(name)`")
      }
      initialized = count
    }
  }

  private func select(_ rows: Range<Int>) throws -> (memory: Handle, file: Handle, count: Int) {
    precondition(
      !shape.isEmpty && rows.lowerBound >= 0 && rows.upperBound <= shape[0], "rows \(rows) of `\(name)` \(shape)")
    let extents = [rows.count] + shape.dropFirst()
    let start = [hsize_t(rows.lowerBound)] + [hsize_t](repeating: 0, count: shape.count - 1)
    guard
      let memory = Handle(H5Screate_simple(Int32(extents.count), extents.map { hsize_t($0) }, nil), release: H5Sclose),
      let space = Handle(H5Dget_space(handle.id), release: H5Sclose),
      H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nil, extents.map { hsize_t($0) }, nil) >= 0
    else { throw failure("cannot select rows of data set `\(name)`") }
    return (memory, space, extents.reduce(1, *))
  }

  private func checkConvertible<T: HDF5Scalar>(to type: T.Type) throws {
    switch elementType {
    case .floatingPoint where !T.kind.isFloatingPoint:
      throw Failure(.dataError, file.path, "data set `\(name)` holds floating-point numbers, integers are expected")
    case .floatingPoint, .signedInteger, .unsignedInteger: return
    case .string, .other: throw Failure(.dataError, file.path, "data set `\(name)` does not hold numbers")
    }
  }

  /// The extents of a data space, which is closed.
  static func shape(of id: hid_t, file: HDF5File, name: String) throws -> [Int] {
    guard let space = Handle(id, release: H5Sclose) else {
      throw Library.failure(.dataError, file.path, "cannot read the shape of `\(name)`")
    }
    let rank = Int(H5Sget_simple_extent_ndims(space.id))
    guard H5Sget_simple_extent_type(space.id) != H5S_NULL, (0...maximumRank).contains(rank) else {
      throw Failure(.dataError, file.path, "`\(name)` has no shape of at most \(maximumRank) axes")
    }
    var extents = [hsize_t](repeating: 0, count: max(rank, 1))
    guard H5Sget_simple_extent_dims(space.id, &extents, nil) == Int32(rank) else {
      throw Library.failure(.dataError, file.path, "cannot read the shape of `\(name)`")
    }
    return try extents.prefix(rank).map { extent in
      guard let value = Int(exactly: extent), value < 1 << 48 else {
        throw Failure(.dataError, file.path, "`\(name)` declares an extent of \(extent)")
      }
      return value
    }
  }

  private static let maximumRank = 8
}
