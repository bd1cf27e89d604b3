import CHDF5
import Diagnostics

/// What groups and data sets have in common: a place in a file, and attributes.
public protocol HDF5Object {
  /// Where it is.
  var location: HDF5Location { get }
}

/// An open object of an HDF5 file.
public struct HDF5Location {
  let file: HDF5File
  /// The path inside the file, without a leading slash; empty for the root.
  let name: String
  let handle: Handle
}

extension HDF5Object {
  /// The path inside the file, without a leading slash; empty for the root.
  public var name: String { location.name }

  var file: HDF5File { location.file }
  var handle: Handle { location.handle }

  /// The failure behind the library call that has just failed on this object.
  func failure(_ problem: String) -> Failure {
    Library.failure(file.isReadOnly ? .dataError : .ioError, file.path, problem)
  }
}

/// Reading and writing attributes; the public methods of groups and data sets call these.
extension HDF5Object {
  func exists(attribute: String) -> Bool { Library.locked { H5Aexists(handle.id, attribute) > 0 } }

  func readStrings(attribute: String) throws -> [String] {
    try withAttribute(attribute) { id, count in
      guard let type = Handle(H5Aget_type(id), release: H5Tclose),
        let space = Handle(H5Aget_space(id), release: H5Sclose),
        let strings = StringBuffer.read(
          type: type, space: space, count: count, limitBytes: file.sizeBytes, transfer: { H5Aread(id, $0, $1) })
      else { throw wrongType(attribute, "text") }
      return strings
    }
  }

  func readNumbers<T: HDF5Scalar>(attribute: String, as type: T.Type, zero: T) throws -> [T] {
    try withAttribute(attribute) { id, count in
      switch ElementType.of(H5Aget_type(id)) {
      case .signedInteger, .unsignedInteger: break
      case .floatingPoint where T.kind.isFloatingPoint: break
      default: throw wrongType(attribute, T.kind.isFloatingPoint ? "a number" : "an integer")
      }
      var values = [T](repeating: zero, count: count)
      guard count == 0 || H5Aread(id, T.kind.memoryType, &values) >= 0 else {
        throw failure("cannot read attribute `\(qualified(attribute))`")
      }
      return values
    }
  }

  func single<T>(_ values: [T], attribute: String) throws -> T {
    guard values.count == 1, let value = values.first else {
      throw Failure(
        .dataError, file.path, "attribute `\(qualified(attribute))` has \(values.count) values, one is expected")
    }
    return value
  }

  /// - Parameter isScalar: whether it has one value rather than a list of them.
  func write(_ values: [String], attribute: String, isScalar: Bool) throws {
    try Library.locked {
      guard let type = Handle(H5Tcopy(sid_h5t_c_string()), release: H5Tclose),
        H5Tset_size(type.id, sid_h5t_variable()) >= 0, H5Tset_cset(type.id, H5T_CSET_UTF8) >= 0
      else { throw failure("cannot prepare attribute `\(qualified(attribute))`") }
      // One block of zero-terminated texts, and where each begins.
      var block: [CChar] = []
      var offsets: [Int] = []
      for value in values {
        offsets.append(block.count)
        block += value.utf8CString
      }
      try block.withUnsafeBufferPointer { texts in
        let pointers: [UnsafePointer<CChar>?] = offsets.map { offset in texts.baseAddress.map { $0 + offset } }
        try pointers.withUnsafeBytes { bytes in
          try write(attribute, type: type.id, count: values.count, isScalar: isScalar, content: bytes.baseAddress)
        }
      }
    }
  }

  func write<T: HDF5Scalar>(_ values: [T], attribute: String, isScalar: Bool) throws {
    try Library.locked {
      try values.withUnsafeBytes { bytes in
        try write(
          attribute, type: T.kind.memoryType, fileType: T.kind.fileType, count: values.count, isScalar: isScalar,
          content: bytes.baseAddress)
      }
    }
  }

  /// Call with the library locked.
  func write(
    _ attribute: String, type: hid_t, fileType: hid_t? = nil, count: Int, isScalar: Bool, content: UnsafeRawPointer?
  ) throws {
    if H5Aexists(handle.id, attribute) > 0 { H5Adelete(handle.id, attribute) }
    let extent = [hsize_t(count)]
    guard
      let space = Handle(isScalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, extent, nil), release: H5Sclose),
      let id = Handle(H5Acreate2(handle.id, attribute, fileType ?? type, space.id, 0, 0), release: H5Aclose),
      count == 0 || H5Awrite(id.id, type, content) >= 0
    else { throw failure("cannot write attribute `\(qualified(attribute))`") }
  }

  private func withAttribute<Result>(_ attribute: String, _ body: (hid_t, Int) throws -> Result) throws -> Result {
    try Library.locked {
      guard H5Aexists(handle.id, attribute) > 0 else {
        throw Failure(.dataError, file.path, "there is no attribute `\(qualified(attribute))`")
      }
      guard let id = Handle(H5Aopen(handle.id, attribute, 0), release: H5Aclose) else {
        throw failure("cannot open attribute `\(qualified(attribute))`")
      }
      let shape = try HDF5Dataset.shape(of: H5Aget_space(id.id), file: file, name: qualified(attribute))
      let count = shape.reduce(1.0) { $0 * Double($1) }
      // An attribute lies in the file as it is, so that it cannot hold more elements than the file has bytes.
      guard count <= Double(file.sizeBytes ?? Int.max) else {
        throw Failure(.dataError, file.path, "attribute `\(qualified(attribute))` declares the shape \(shape)")
      }
      return try body(id.id, Int(count))
    }
  }

  private func wrongType(_ attribute: String, _ expected: String) -> Failure {
    Failure(.dataError, file.path, "attribute `\(qualified(attribute))` is expected to be \(expected)")
  }

  private func qualified(_ attribute: String) -> String { name.isEmpty ? attribute : "\(name)@\(attribute)" }
}
