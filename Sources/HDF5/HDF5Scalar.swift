import CHDF5

/// A number that data sets can be read as and written from.
public protocol HDF5Scalar: Sendable, BitwiseCopyable {
  /// Which of the library's types it is.
  static var kind: HDF5ScalarKind { get }
}

/// The types of numbers in memory.
public enum HDF5ScalarKind: Sendable {
  case float, double, uint8, int32, int64, uint64

  var isFloatingPoint: Bool { self == .float || self == .double }

  /// The library's type in memory. Call with the library locked.
  var memoryType: hid_t {
    switch self {
    case .float: sid_h5t_float()
    case .double: sid_h5t_double()
    case .uint8: sid_h5t_uint8()
    case .int32: sid_h5t_int32()
    case .int64: sid_h5t_int64()
    case .uint64: sid_h5t_uint64()
    }
  }

  /// The little-endian type in files. Call with the library locked.
  var fileType: hid_t {
    switch self {
    case .float: sid_h5t_file_float()
    case .double: sid_h5t_file_double()
    case .uint8: sid_h5t_file_uint8()
    case .int32: sid_h5t_file_int32()
    case .int64: sid_h5t_file_int64()
    case .uint64: sid_h5t_file_uint64()
    }
  }
}

extension Float: HDF5Scalar {
  /// Which of the library's types it is.
  public static var kind: HDF5ScalarKind { .float }
}

extension Double: HDF5Scalar {
  /// Which of the library's types it is.
  public static var kind: HDF5ScalarKind { .double }
}

extension UInt8: HDF5Scalar {
  /// Which of the library's types it is.
  public static var kind: HDF5ScalarKind { .uint8 }
}

extension Int32: HDF5Scalar {
  /// Which of the library's types it is.
  public static var kind: HDF5ScalarKind { .int32 }
}

extension Int64: HDF5Scalar {
  /// Which of the library's types it is.
  public static var kind: HDF5ScalarKind { .int64 }
}

extension UInt64: HDF5Scalar {
  /// Which of the library's types it is.
  public static var kind: HDF5ScalarKind { .uint64 }
}

/// What the elements of a data set or attribute are in the file.
public enum HDF5ElementType: Sendable, Equatable {
  /// IEEE or other floating-point numbers of so many bytes.
  case floatingPoint(bytes: Int)
  /// Signed integers of so many bytes.
  case signedInteger(bytes: Int)
  /// Unsigned integers of so many bytes.
  case unsignedInteger(bytes: Int)
  /// Strings of fixed or variable length.
  case string
  /// Anything else: compounds, enumerations, references. It cannot be read.
  case other
}

/// How the elements of a data set lie in the file.
public enum HDF5Storage: Sendable, Equatable {
  /// One after another. The default.
  case contiguous
  /// In chunks of `rows` whole rows of the outermost axis.
  ///
  /// `checksum` adds a Fletcher-32 sum to each chunk, verified when it is read; `deflate` compresses at a level of
  /// 1 to 9.
  case chunked(rows: Int, checksum: Bool, deflate: Int?)
}
