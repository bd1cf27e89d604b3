import Diagnostics
import Files
import Synchronization

/// A zip of numpy arrays (`.npz`), stored or deflated, whose arrays are read at their own precision.
///
/// Opening reads the index alone, and an array that nobody asks for is never looked at, whatever it holds. Every size is
/// compared with the file before anything is allocated for it, and an array's checksum with its content before it is used.
public final class NumpyFile: Sendable {
  /// The path it was opened by.
  public let path: String
  /// The names of the arrays, without the suffix `.npy`.
  public let names: [String]
  private let entries: [String: ZipDirectory.Entry]
  /// The headers that were read.
  private let arrays = Mutex<[String: StoredTensor]>([:])
  let file: CheckpointFile

  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no zip of numpy arrays.
  public init(_ path: String) throws {
    self.path = path
    file = try CheckpointFile(path)
    guard try Self.isZip(file) else { throw FileGuess.refuse(path, expected: "a zip of numpy arrays (npz)") }
    let directory = try ZipDirectory(file)
    guard NumpyArchive.matches(directory) else { throw file.refuse("a zip of numpy arrays (npz) is expected") }
    let contents = NumpyArchive.contents(of: directory).arrays
    names = contents.map(\.name)
    entries = Dictionary(contents.map { ($0.name, $0.entry) }) { first, _ in first }
  }

  /// Whether a file is a zip of numpy arrays, by its content.
  /// - Throws: a `Failure` where it cannot be read; a zip archive that is damaged is found out by `init`.
  public static func isArchive(_ path: String) throws -> Bool {
    let file = try CheckpointFile(path)
    return try isZip(file) && NumpyArchive.matches(ZipDirectory(file))
  }

  private static func isZip(_ file: CheckpointFile) throws -> Bool {
    try file.size >= 4 && file.bytes(ByteRange(start: 0, count: 4)) == ZipDirectory.signature
  }

  /// The extents of an array; nil where there is none of this name, or it is none that can be read.
  public func shape(of name: String) -> [Int]? { try? array(name).shape }

  /// The number format of an array; nil where there is none of this name, or it is none that can be read.
  public func elementType(of name: String) -> ElementType? { try? array(name).storage.type }

  /// The extents of an array that is needed.
  /// - Throws: a `Failure` with status `dataError` where it is missing or cannot be read, saying why.
  public func requiredShape(of name: String) throws -> [Int] { try array(name).shape }

  /// The elements of an array of floating-point numbers, row-major whatever their order in the file, in double precision.
  /// - Throws: a `Failure` with status `dataError` where it is missing, of another type, or damaged.
  public func doubles(_ name: String) throws -> [Double] {
    let array = try array(name)
    let width = array.storage.type.byteCount
    guard [.float64, .float32].contains(array.storage.type) else {
      throw file.refuse("\(name) holds elements of type \(array.storage.type.rawValue); F64 or F32 is expected")
    }
    let bytes = try content(array)
    return bytes.withUnsafeBytes { raw in
      var result: [Double] = []
      result.reserveCapacity(array.count)
      array.forEachPosition { position in
        result.append(
          array.storage.type == .float64
            ? Double(
              bitPattern: UInt64(
                littleEndian: raw.loadUnaligned(fromByteOffset: position * width, as: UInt64.self)))
            : Double(
              Float(
                bitPattern: UInt32(
                  littleEndian: raw.loadUnaligned(fromByteOffset: position * width, as: UInt32.self)))))
      }
      return result
    }
  }

  /// An array by its name; its header is read when it is first asked for.
  func array(_ name: String) throws -> StoredTensor {
    if let known = arrays.withLock({ $0[name] }) { return known }
    guard let entry = entries[name] else {
      throw file.refuse("there is no array \(name); it holds \(names.joined(separator: ", "))")
    }
    let array = try NumpyArchive.read(entry, in: file)
    arrays.withLock { $0[name] = array }
    return array
  }

  private func content(_ array: StoredTensor) throws -> [UInt8] {
    if let entry = array.storage.entry { try file.verify(entry) }
    if array.count == 0 { return [] }
    if let bytes = array.storage.bytes {
      return try file.bytes(ByteRange(start: bytes.start, count: array.count * array.storage.type.byteCount))
    }
    guard let entry = array.storage.entry else { throw file.refuse("an array has no data") }
    return Array(try Inflation.bytes(of: entry, in: file).dropFirst(array.storage.entryOffset))
  }
}
