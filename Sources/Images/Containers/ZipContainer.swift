import CZlib
import Diagnostics
import Files
import Foundation

/// A zip archive, stored or deflated, as a container of images.
///
/// It is read by its central directory, so that a truncated one is refused; the checksum of every entry that is read is
/// verified. Names are the bytes that are stored, whatever the flag says of their encoding.
final class ZipContainer: ImageContainer {
  let path: String
  let word = "zip archive"
  let isSorted = true
  private let file: ByteWindow
  private let entries: [ZipEntry]

  /// The most bytes that deflate makes of one.
  private static let largestRatio = 1032

  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no intact zip archive.
  init(_ path: String) throws {
    self.path = path
    file = try ByteWindow(path, expected: "a zip archive of images")
    entries = try ZipEntry.all(in: file)
  }

  func forEachEntry(_ body: (StoredEntry, () throws -> [UInt8]) throws -> Void) throws {
    for (place, entry) in entries.enumerated() {
      if entry.name.bytes.last == UInt8(ascii: "/") {
        guard entry.size == 0 else { throw ContainerFailure.folderWithContent(entry.name, entry.size, in: path) }
        continue
      }
      guard !entry.isEncrypted else {
        throw file.refuse("entry \(entry.name) is encrypted", remedy: "decrypt it first")
      }
      let form: StoredEntry.Form =
        entry.isLink ? .symbolicLink(ByteName(try content(of: entry, maximumBytes: 1 << 12))) : .file
      try body(StoredEntry(name: entry.name, form: form, place: place)) {
        try self.read(entry, atMost: EntryKind.neededBytes)
      }
    }
  }

  /// The entry of a name, where it stands once.
  func entry(named name: String) -> Int? { entries.firstIndex { $0.name == ByteName(name) } }

  func content(of entry: (name: ByteName, place: Int), maximumBytes: Int) throws -> [UInt8] {
    try content(of: entries[entry.place], maximumBytes: maximumBytes)
  }

  /// The content of one entry, compared with its declared size and checksum.
  func content(of entry: ZipEntry, maximumBytes: Int) throws -> [UInt8] {
    guard entry.size <= maximumBytes else {
      throw file.refuse("entry \(entry.name) declares \(entry.size) bytes, at most \(maximumBytes) are expected")
    }
    let content = try read(entry, atMost: entry.size + 1)
    guard content.count == entry.size else {
      throw file.refuse("entry \(entry.name) does not have the \(entry.size) bytes that it declares")
    }
    let checksum = content.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
    guard checksum == UInt(entry.checksum) else {
      throw file.refuse("entry \(entry.name) is damaged: its checksum is wrong", remedy: "fetch the file again")
    }
    return content
  }

  /// The first bytes of an entry's content.
  private func read(_ entry: ZipEntry, atMost limit: Int) throws -> [UInt8] {
    guard entry.method == 0 || entry.method == 8 else {
      throw file.refuse(
        "entry \(entry.name) is compressed by method \(entry.method); stored and deflated ones are read",
        remedy: "make the archive again with deflate (zip -Z deflate), or stored")
    }
    let start = try entry.dataStart(in: file)
    guard entry.storedSize <= file.size - start else {
      throw file.refuse("entry \(entry.name) lies outside the file", remedy: "fetch the file again")
    }
    if entry.method == 0 {
      return Array(try file.bytes(at: start, count: min(limit, entry.storedSize)))
    }
    // Never more room than the data can fill.
    let room = min(limit, entry.storedSize.multipliedReportingOverflow(by: Self.largestRatio).partialValue)
    return try inflate(entry, start: start, room: max(room, 0))
  }

  /// Expands the first bytes of a deflated entry.
  private func inflate(_ entry: ZipEntry, start: Int, room: Int) throws -> [UInt8] {
    var stream = z_stream()
    // Negative window bits: raw deflate, as zip has it.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw Failure(.unavailable, "zlib", "cannot start")
    }
    defer { inflateEnd(&stream) }
    var expanded = [UInt8](repeating: 0, count: room)
    var (done, place, status) = (0, start, Z_OK)
    while done < room, status != Z_STREAM_END, place < start + entry.storedSize {
      var input = try file.bytes(at: place, count: min(1 << 18, start + entry.storedSize - place))
      let available = input.count
      let made = input.withUnsafeMutableBufferPointer { source in
        expanded.withUnsafeMutableBufferPointer { target -> Int in
          (stream.next_in, stream.avail_in) = (source.baseAddress, UInt32(source.count))
          stream.next_out = target.baseAddress.map { $0 + done }
          stream.avail_out = UInt32(room - done)
          status = CZlib.inflate(&stream, Z_NO_FLUSH)
          return room - done - Int(stream.avail_out)
        }
      }
      let taken = available - Int(stream.avail_in)
      guard status == Z_OK || status == Z_STREAM_END, taken + made > 0 else {
        throw file.refuse("entry \(entry.name) is damaged", remedy: "fetch the file again")
      }
      done += made
      place += taken
    }
    return Array(expanded.prefix(done))
  }
}
