import Foundation
import Images

/// Small images as files, made of a number.
public enum MadeImage {
  /// 8x8 gray pixels that depend on `seed`.
  public static func pixels(_ seed: Int) -> [UInt8] {
    (0..<64).map { UInt8(truncatingIfNeeded: ($0 &* 37 &+ seed &* 101) ^ ($0 >> 2)) }
  }

  /// A PNG of `pixels(seed)`.
  public static func png(_ seed: Int) throws -> [UInt8] {
    try PNGEncoder.encode(pixels(seed)[...], shape: ImageShape(height: 8, width: 8, channels: 1))
  }

  /// A PGM (P5) of `pixels(seed)`.
  public static func pgm(_ seed: Int) -> [UInt8] { Array("P5\n# made\n8 8\n255\n".utf8) + pixels(seed) }

  /// A JPEG's beginning.
  public static let jpeg: [UInt8] =
    [0xFF, 0xD8, 0xFF, 0xE0, 0, 16] + Array("JFIF".utf8) + [UInt8](repeating: 0, count: 20)
}

/// Archives whose entries have any names, in bytes.
public enum MadeArchive {
  /// An entry of an archive.
  public struct Entry {
    /// The path in the archive.
    public let name: [UInt8]
    /// The file's content, or a link's target.
    public let content: [UInt8]
    /// The type flag of tar: `0` a file, `1` a hard link, `2` a symbolic link to `content`.
    let kind: Character

    /// - Parameters:
    ///   - name: the path in the archive.
    ///   - content: the file's content, or a link's target.
    ///   - kind: the type flag of tar.
    public init(_ name: [UInt8], _ content: [UInt8], kind: Character = "0") {
      (self.name, self.content, self.kind) = (name, content, kind)
    }

    /// The same with a name that is text.
    public init(_ name: String, _ content: [UInt8], kind: Character = "0") {
      self.init(Array(name.utf8), content, kind: kind)
    }

    /// A symbolic link.
    public static func link(_ name: String, to target: String) -> Entry { Entry(name, Array(target.utf8), kind: "2") }
  }

  /// A tar archive in the format ustar.
  /// - Parameter hasEnd: whether it ends in empty blocks.
  public static func tar(_ entries: [Entry], hasEnd: Bool = true) -> [UInt8] {
    entries.flatMap { entry -> [UInt8] in
      let isLink = entry.kind == "1" || entry.kind == "2"
      let header = tarHeader(entry, size: isLink ? 0 : entry.content.count, target: isLink ? entry.content : [])
      guard !isLink else { return header }
      return header + entry.content + [UInt8](repeating: 0, count: (512 - entry.content.count % 512) % 512)
    } + (hasEnd ? [UInt8](repeating: 0, count: 1024) : [])
  }

  private static func tarHeader(_ entry: Entry, size: Int, target: [UInt8]) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ bytes: [UInt8], at place: Int) { header.replaceSubrange(place..<place + bytes.count, with: bytes) }
    func octal(_ value: Int, _ digits: Int) -> [UInt8] {
      let text = String(value, radix: 8)
      return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
    }
    put(Array(entry.name.prefix(100)), at: 0)
    for (value, digits, place) in [(0o644, 7, 100), (0, 7, 108), (0, 7, 116), (size, 11, 124), (0, 11, 136)] {
      put(octal(value, digits), at: place)
    }
    put(Array("\(entry.kind)".utf8), at: 156)
    put(Array(target.prefix(100)), at: 157)
    put(Array("ustar".utf8) + [0, 0x30, 0x30], at: 257)
    put(octal(header.reduce(8 * 32) { $0 + Int($1) }, 6) + [0, 0x20], at: 148)
    return header
  }

  /// A zip archive of stored entries whose names are said to be UTF-8.
  public static func zip(_ entries: [Entry]) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let start = bytes.count
      let size = little(entry.content.count, 4)
      let common = [0, 8, 0, 0, 0, 0, 0x21, 0] + little(Int(NpzStandIn.checksum(entry.content)), 4) + size + size
      let names = common + little(entry.name.count, 2) + [0, 0]
      bytes += [0x50, 0x4B, 3, 4, 20, 0] + names + entry.name + entry.content
      // The mode in the upper half of the attributes, as Unix has it.
      let mode = little(entry.kind == "2" ? 0o120777 : 0o100644, 2)
      directory += [0x50, 0x4B, 1, 2, 20, 3, 20, 0] + names + [0, 0, 0, 0, 0, 0, 0, 0] + mode
      directory += little(start, 4) + entry.name
    }
    let counts = little(entries.count, 2) + little(entries.count, 2)
    let place = little(directory.count, 4) + little(bytes.count, 4)
    return bytes + directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + counts + place + [0, 0]
  }

  private static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

extension TemporaryFolder {
  /// Writes a file whose path inside the folder need not be text; folders on the way are made where they are text.
  public func write(_ content: [UInt8], to name: [UInt8]) throws {
    if let slash = name.lastIndex(of: UInt8(ascii: "/")) {
      try FileManager.default.createDirectory(
        atPath: file(String(decoding: name[..<slash], as: UTF8.self)), withIntermediateDirectories: true)
    }
    let path = Array((self.path + "/").utf8) + name + [0]
    let descriptor = path.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) } ?? -1
    }
    guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try handle.write(contentsOf: Data(content))
  }

  /// The same with a path that is text.
  public func write(_ content: [UInt8], to name: String) throws { try write(content, to: Array(name.utf8)) }
}
