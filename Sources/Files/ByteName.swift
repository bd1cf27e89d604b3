import Diagnostics
import Foundation

/// A name as the kernel or an archive keeps it: bytes. It is compared and sorted as bytes, and becomes text only to be
/// shown, so that a name in any encoding, or in none, is as good as another.
public struct ByteName: Hashable, Comparable, Sendable {
  /// The name as it is stored, without a terminating zero.
  public let bytes: [UInt8]

  /// - Parameter bytes: the name as it is stored.
  public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  /// - Parameter text: a name that is text; its UTF-8 is what is stored.
  public init(_ text: String) { bytes = Array(text.utf8) }

  /// The name as text, or nil where it is not UTF-8.
  public var text: String? { String(validating: bytes, as: UTF8.self) }

  /// What stands behind the last dot of the last component, in lower case (ASCII alone); "" where there is no dot.
  public var pathExtension: String {
    let last = bytes[(bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...]
    guard let dot = last.lastIndex(of: UInt8(ascii: ".")) else { return "" }
    let lower = last[(dot + 1)...].map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    return String(decoding: lower, as: UTF8.self)
  }

  /// The last component of a path.
  public var lastComponent: ByteName {
    ByteName(bytes[(bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...])
  }

  /// Names in the order of their bytes, whatever the locale.
  public static func < (left: ByteName, right: ByteName) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

  /// The names in a folder, unsorted, without "." and "..".
  /// - Throws: a `Failure` of what the system says: the folder is missing, may not be read, or cannot be read now.
  public static func names(inFolder folder: String) throws -> [ByteName] { try names(inFolder: ByteName(folder)) }

  /// The same for a folder whose own path need not be text.
  public static func names(inFolder folder: ByteName) throws -> [ByteName] {
    guard let stream = folder.withCString({ opendir($0) }) else { throw Failure.input(folder.description) }
    defer { closedir(stream) }
    return try names(stream, folder.description)
  }

  /// The same of a folder that is open.
  /// - Parameters:
  ///   - descriptor: of the folder; closed when the names are read.
  ///   - folder: what errors call it.
  public static func names(inFolderAt descriptor: Int32, folder: String) throws -> [ByteName] {
    guard let stream = fdopendir(descriptor) else {
      let failure = Failure.system(folder, "list")
      close(descriptor)
      throw failure
    }
    defer { closedir(stream) }
    return try names(stream, folder)
  }

  private static func names(_ stream: OpaquePointer, _ folder: String) throws -> [ByteName] {
    var names: [ByteName] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: UInt8.self, capacity: 256) {
          ByteName(UnsafeBufferPointer(start: $0, count: strnlen($0, 256)))
        }
      }
      if name.bytes != Array(".".utf8), name.bytes != Array("..".utf8) { names.append(name) }
    }
    guard errno == 0 else { throw Failure.system(folder, "list") }
    return names
  }

  /// The bytes with a terminating zero, for system calls.
  public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
    try (bytes + [0]).withUnsafeBufferPointer { buffer in
      try buffer.withMemoryRebound(to: CChar.self) { rebound in
        guard let base = rebound.baseAddress else {
          preconditionFailure("an array of one byte and more has an address")
        }
        return try body(base)
      }
    }
  }
}

extension ByteName: CustomStringConvertible {
  /// The name for people: UTF-8 as it reads, every other byte and every invisible character as `\xNN`.
  public var description: String {
    var shown = ""
    var rest = bytes[...]
    while let first = rest.first {
      let count = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      let part = rest.prefix(count)
      if let text = String(validating: part, as: UTF8.self), let scalar = text.unicodeScalars.first,
        !scalar.isInvisible
      {
        shown += text
        rest = rest.dropFirst(count)
      } else {
        shown += "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16)
        rest = rest.dropFirst()
      }
    }
    return shown
  }
}
