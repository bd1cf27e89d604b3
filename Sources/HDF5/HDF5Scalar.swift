import CHDF5

/// A number that data sets can be read as and written from.
public protocol HDF5Scalar: Sendable, BitwiseCopyable {
  /// Whether it is a floating-point type.
  static var isFloatingPoint: Bool { get }
  /// The library's type in memory. Call with the library locked.
  static var memoryTypeID: Int64 { get }
  /// The little-endian type in files. Call with the library locked.
  static var fileTypeID: Int64 { get }
}

extension Float: HDF5Scalar {
  public static var isFloatingPoint: Bool { true }
  public static var memoryTypeID: Int64 { sid_h5t_float() }
  public static var fileTypeID: Int64 { sid_h5t_file_float() }
}

extension Double: HDF5Scalar {
  public static var isFloatingPoint: Bool { true }
  public static var memoryTypeID: Int64 { sid_h5t_double() }
  public static var fileTypeID: Int64 { sid_h5t_file_double() }
}

extension UInt8: HDF5Scalar {
  public static var isFloatingPoint: Bool { false }
  public static var memoryTypeID: Int64 { sid_h5t_uint8() }
  public static var fileTypeID: Int64 { sid_h5t_file_uint8() }
}

extension Int32: HDF5Scalar {
  public static var isFloatingPoint: Bool { false }
  public static var memoryTypeID: Int64 { sid_h5t_int32() }
  public static var fileTypeID: Int64 { sid_h5t_file_int32() }
}

extension Int64: HDF5Scalar {
  public static var isFloatingPoint: Bool { false }
  public static var memoryTypeID: Int64 { sid_h5t_int64() }
  public static var fileTypeID: Int64 { sid_h5t_file_int64() }
}

extension UInt64: HDF5Scalar {
  public static var isFloatingPoint: Bool { false }
  public static var memoryTypeID: Int64 { sid_h5t_uint64() }
  public static var fileTypeID: Int64 { sid_h5t_file_uint64() }
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
