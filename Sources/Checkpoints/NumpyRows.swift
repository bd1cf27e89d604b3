import CZlib
import Diagnostics

/// Reads the rows of one array of bytes in an npz file, without ever holding all of them.
///
/// A stored array is read anywhere; a deflated one forward, from the beginning again where an earlier row is wanted. Of an
/// array by columns every row is gathered from all over it: a deflated one is unpacked to a file without a name first.
public final class NumpyRows {
  /// The extents of the array, the number of rows first.
  public let shape: [Int]
  private let file: CheckpointFile
  private let storage: Storage
  private let rowBytes: Int
  /// For an array by columns: where it stands in plain, and the place of every byte of the first row in it.
  private let columns: (file: CheckpointFile, start: Int, places: [Int])?
  private var inflation: (stream: InflationStream, position: Int)?

  /// - Parameters:
  ///   - file: the npz file.
  ///   - name: of an array of unsigned bytes.
  /// - Throws: a `Failure` with status `dataError` where it is missing, of another type or damaged, `temporaryFailure`
  ///   where there is no room to unpack it.
  public init(_ file: NumpyFile, name: String) throws {
    let array = try file.array(name)
    guard array.storage.type == .uint8, !array.shape.isEmpty else {
      throw file.file.refuse(
        "\(name) of shape \(array.shape) holds elements of type \(array.storage.type.rawValue); bytes (U8) are expected"
      )
    }
    if let entry = array.storage.entry { try file.file.verify(entry) }
    (shape, self.file, storage) = (array.shape, file.file, array.storage)
    rowBytes = array.shape.dropFirst().reduce(1, *)
    guard !array.isContiguous, array.count > 0 else {
      columns = nil
      return
    }
    let row = StoredTensor(
      storage: array.storage, offset: 0, shape: Array(array.shape.dropFirst()),
      strides: Array(array.strides.dropFirst()))
    var places: [Int] = []
    row.forEachPosition { places.append($0) }
    if let bytes = array.storage.bytes {
      columns = (file.file, bytes.start, places)
    } else if let entry = array.storage.entry {
      columns = (try Self.unpacked(entry, in: file.file), array.storage.entryOffset, places)
    } else {
      throw file.file.refuse("an array has no data")
    }
  }

  /// The bytes of some rows.
  public func rows(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
    let (start, count) = (range.lowerBound * rowBytes, range.count * rowBytes)
    if count == 0 { return [] }
    if let columns { return try gathered(range, columns.file, columns.start, columns.places) }
    if let bytes = storage.bytes { return try file.bytes(ByteRange(start: bytes.start + start, count: count)) }
    guard let entry = storage.entry else { throw file.refuse("an array has no data") }
    let wanted = storage.entryOffset + start
    var current = try inflation ?? (InflationStream(entry, in: file), 0)
    if current.position > wanted { current = (try InflationStream(entry, in: file), 0) }
    inflation = nil
    while current.position < wanted {
      current.position += try current.stream.next(min(1 << 18, wanted - current.position)).count
    }
    let result = try current.stream.next(count)
    inflation = (current.stream, wanted + count)
    return result
  }

  /// Rows of an array by columns, in which the same byte of consecutive rows stands together.
  private func gathered(_ range: Range<Int>, _ file: CheckpointFile, _ start: Int, _ places: [Int]) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: range.count * rowBytes)
    for (column, place) in places.enumerated() {
      let run = try file.bytes(ByteRange(start: start + place + range.lowerBound, count: range.count))
      for (row, byte) in run.enumerated() { result[row * rowBytes + column] = byte }
    }
    return result
  }

  /// The content of a deflated entry in a file that goes with the process.
  private static func unpacked(_ entry: ZipDirectory.Entry, in file: CheckpointFile) throws -> CheckpointFile {
    try CheckpointFile(temporaryFor: file.path) { write in
      try Inflation.forEachBlock(of: entry, in: file, write)
    }
  }
}

/// Expands a deflated zip entry piece by piece, forward.
private final class InflationStream {
  private let file: CheckpointFile
  private let entry: ZipDirectory.Entry
  /// zlib keeps the address.
  private let stream: UnsafeMutablePointer<z_stream>
  private var input: [UInt8] = []
  private var inputStart = 0
  private var position: Int

  init(_ entry: ZipDirectory.Entry, in file: CheckpointFile) throws {
    (self.entry, self.file, position) = (entry, file, entry.bytes.start)
    // Negative window bits: raw deflate, as zip has it.
    stream = UnsafeMutablePointer.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw Failure(.unavailable, "zlib", "cannot start")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// The next bytes of the content, exactly so many.
  func next(_ count: Int) throws -> [UInt8] {
    let damaged = file.refuse("the compressed zip entry \(entry.name) is damaged", remedy: "fetch the file again")
    var result = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      if inputStart == input.count {
        guard position < entry.bytes.end else { throw damaged }
        input = try file.bytes(ByteRange(start: position, count: min(1 << 18, entry.bytes.end - position)))
        (inputStart, position) = (0, position + input.count)
      }
      let (status, read, made) = input.withUnsafeMutableBytes { source in
        result.withUnsafeMutableBytes { target -> (Int32, Int, Int) in
          let (available, room) = (source.count - inputStart, min(target.count - done, 1 << 30))
          stream.pointee.next_in = source.bindMemory(to: UInt8.self).baseAddress.map { $0 + inputStart }
          stream.pointee.avail_in = UInt32(available)
          stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress.map { $0 + done }
          stream.pointee.avail_out = UInt32(room)
          let status = inflate(stream, Z_NO_FLUSH)
          return (status, available - Int(stream.pointee.avail_in), room - Int(stream.pointee.avail_out))
        }
      }
      guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, read + made > 0 else { throw damaged }
      inputStart += read
      done += made
      if status == Z_STREAM_END && done < count { throw damaged }
    }
    return result
  }
}
