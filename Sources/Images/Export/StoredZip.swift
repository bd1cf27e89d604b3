import CZlib
import Files
import Foundation

/// Writes a zip archive of stored entries, of any size and number, without holding its directory in memory.
///
/// Every entry has the first day of 1980, so that the same content gives the same bytes. (APPNOTE.TXT 6.3.10.)
final class StoredZip {
  private let file: OutputFile
  /// The central directory, on the disk until the end.
  private let directory: OutputFile
  private var count: UInt64 = 0
  private var current: (name: [UInt8], start: Int, dataStart: Int, crc: UInt)?

  /// - Parameter path: exists and is empty.
  init(_ path: String) throws {
    file = try OutputFile(path)
    directory = try OutputFile(path + ".directory", isTemporary: true)
  }

  /// Adds an entry at once.
  func add(_ name: String, _ content: [UInt8]) throws {
    try begin(name)
    try append(content)
    try end()
  }

  /// Begins an entry of unknown size.
  func begin(_ name: String) throws {
    precondition(current == nil, "entry \(name) begins inside another")
    let name = Array(name.utf8)
    let start = file.position
    // Checksum and sizes are filled in when they are known, the sizes in the 64-bit field.
    try file.write([0x50, 0x4B, 3, 4] + common(crc: 0, size: .max, name: name) + Self.little(UInt16(20)))
    try file.write(name + [1, 0, 16, 0] + [UInt8](repeating: 0, count: 16))
    current = (name, start, file.position, 0)
  }

  /// Appends to the entry that was begun.
  func append(_ content: [UInt8]) throws {
    guard let crc = current?.crc else { preconditionFailure("no entry was begun") }
    current?.crc = content.withUnsafeBufferPointer { crc32_z(crc, $0.baseAddress, $0.count) }
    try file.write(content)
  }

  /// Completes the entry.
  func end() throws {
    guard let entry = current else { preconditionFailure("no entry was begun") }
    current = nil
    let size = Self.little(UInt64(file.position - entry.dataStart))
    let sizes = size + size
    try file.replace(at: entry.start + 14, with: Self.little(UInt32(entry.crc)))
    try file.replace(at: entry.dataStart - 16, with: sizes)
    let place = [1, 0, 24, 0] + sizes + Self.little(UInt64(entry.start))
    try directory.write(
      [0x50, 0x4B, 1, 2, 45, 0] + common(crc: UInt32(entry.crc), size: .max, name: entry.name)
        + Self.little(UInt16(place.count)) + [UInt8](repeating: 0, count: 6))
    // External attributes: a regular file that everyone may read.
    try directory.write(Self.little(UInt32(0o100644) << 16) + Self.little(UInt32.max) + entry.name + place)
    count += 1
  }

  /// Writes the directory.
  func finish() throws {
    let start = file.position
    try file.append(contentsOf: directory)
    let end = file.position
    let number = Self.little(count)
    try file.write(
      [0x50, 0x4B, 6, 6] + Self.little(UInt64(44)) + [45, 3, 45, 0] + [UInt8](repeating: 0, count: 8) + number + number
        + Self.little(UInt64(end - start)) + Self.little(UInt64(start)))
    try file.write([0x50, 0x4B, 6, 7, 0, 0, 0, 0] + Self.little(UInt64(end)) + [1, 0, 0, 0])
    let narrow = Self.little(UInt16(clamping: count))
    try file.write([0x50, 0x4B, 5, 6, 0, 0, 0, 0] + narrow + narrow + Self.little(UInt32(clamping: end - start)))
    try file.write(Self.little(UInt32(clamping: start)) + [0, 0])
    try file.flush()
  }

  /// Version 4.5, UTF-8 names, stored, no time; checksum, sizes, length of the name.
  private func common(crc: UInt32, size: UInt32, name: [UInt8]) -> [UInt8] {
    [45, 0, 0, 8, 0, 0, 0, 0, 0x21, 0] + Self.little(crc) + Self.little(size) + Self.little(size)
      + Self.little(UInt16(name.count))
  }

  private static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
