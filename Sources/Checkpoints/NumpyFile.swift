import Diagnostics

/// A zip of numpy arrays (`.npz`), stored or deflated, whose arrays are read at their own precision.
///
/// Opening reads the index alone. Every size is compared with the file before anything is allocated for it, and an
/// array's checksum with its content before it is used.
public final class NumpyFile {
  /// The path it was opened by.
  public let path: String
  /// The names of the arrays, without the suffix `.npy`.
  public let names: [String]
  private let arrays: [String: StoredTensor]
  let file: CheckpointFile

  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no zip of numpy arrays.
  public init(_ path: String) throws {
    self.path = path
    file = try CheckpointFile(path)
    let directory = try ZipDirectory(file)
    guard NumpyArchive.matches(directory) else { throw file.refuse("a zip of numpy arrays (npz) is expected") }
    let content = try NumpyArchive.read(directory, in: file)
    names = content.map(\.name)
    arrays = Dictionary(content.map { ($0.name, $0.tensor) }) { first, _ in first }
  }

  /// Whether a file is a zip of numpy arrays, by its content.
  /// - Throws: a `Failure` where it cannot be read; a zip archive that is damaged is found out by `init`.
  public static func isArchive(_ path: String) throws -> Bool {
    let file = try CheckpointFile(path)
    guard file.size >= 4, try file.bytes(ByteRange(start: 0, count: 4)) == ZipDirectory.signature else { return false }
    return try NumpyArchive.matches(ZipDirectory(file))
  }

  /// The extents of an array; nil where there is none of this name.
  public func shape(of name: String) -> [Int]? { arrays[name]?.shape }

  /// The number format of an array; nil where there is none of this name.
  public func elementType(of name: String) -> ElementType? { arrays[name]?.storage.type }

  /// The elements of an array of floating-point numbers, row-major, in double precision.
  /// - Throws: a `Failure` with status `dataError` where it is missing, of another type, in columns, or damaged.
  public func doubles(_ name: String) throws -> [Double] {
    let array = try rowMajor(name)
    let width = array.storage.type.byteCount
    let bytes = try content(array)
    return try bytes.withUnsafeBytes { raw in
      switch array.storage.type {
      case .float64:
        (0..<array.count).map {
          Double(bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * width, as: UInt64.self)))
        }
      case .float32:
        (0..<array.count).map {
          Double(
            Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * width, as: UInt32.self))))
        }
      default:
        throw file.refuse("\(name) holds elements of type \(array.storage.type.rawValue); F64 or F32 is expected")
      }
    }
  }

  /// An array in row-major order.
  func rowMajor(_ name: String) throws -> StoredTensor {
    guard let array = arrays[name] else {
      throw file.refuse("there is no array \(name); it holds \(names.joined(separator: ", "))")
    }
    guard array.isContiguous else {
      throw file.refuse("\(name) is stored by columns", remedy: "save it with numpy.ascontiguousarray")
    }
    return array
  }

  private func content(_ array: StoredTensor) throws -> [UInt8] {
    if let entry = array.storage.entry { try file.verify(entry) }
    if array.count == 0 { return [] }
    if let bytes = array.storage.bytes { return try file.bytes(bytes) }
    guard let entry = array.storage.entry else { throw file.refuse("an array has no data") }
    return Array(try Inflation.bytes(of: entry, in: file).dropFirst(array.storage.entryOffset))
  }
}
