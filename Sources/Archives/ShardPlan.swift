import Files
import Foundation

/// How an archive is cut into shards: `NAME-00000.h5` and so on beside `NAME.h5`, each of so many images in order.
public struct ShardPlan: Sendable, Equatable {
  /// The archive, which stitches the shards together.
  public let archive: String
  /// Images of the whole archive.
  public let count: Int
  /// Images of each shard but the last.
  public let size: Int

  /// - Parameters:
  ///   - archive: the path of the archive.
  ///   - count: its images.
  ///   - size: images of a shard.
  public init(archive: String, count: Int, size: Int) {
    precondition(count > 0 && size > 0, "\(count) images in shards of \(size)")
    self.archive = archive
    self.count = count
    self.size = size
  }

  /// The number of shards.
  public var shardCount: Int { (count + size - 1) / size }

  /// The images of a shard.
  public func images(_ shard: Int) -> Range<Int> { shard * size..<min(count, (shard + 1) * size) }

  /// The file name of a shard.
  public func file(_ shard: Int) -> String {
    let number = "\(shard)"
    return "\(Self.stem(archive))-\(String(repeating: "0", count: max(0, 5 - number.count)))\(number).h5"
  }

  /// The path of a shard.
  public func path(_ shard: Int) -> String { Self.path(file(shard), beside: archive) }

  /// The hidden folder of what is known of finished shards until the archive is closed.
  var recordFolder: String { Self.path(".\(Self.stem(archive)).shards", beside: archive) }

  /// The shards of a share; all of them without one.
  public func share(_ share: WorkShare?) -> [Int] {
    Array(stride(from: (share?.index ?? 1) - 1, to: shardCount, by: share?.count ?? 1))
  }

  /// The shards that stand beside an archive, by their names, in no order.
  /// - Throws: a `Failure` where its folder cannot be listed.
  static func found(beside archive: String) throws -> [String] {
    let prefix = stem(archive) + "-"
    return try ByteName.names(inFolder: AtomicFile.folder(of: archive)).compactMap(\.text).filter { name in
      guard name.hasPrefix(prefix), name.hasSuffix(".h5") else { return false }
      let number = name.dropFirst(prefix.count).dropLast(3)
      return number.count >= 5 && number.allSatisfy { ("0"..."9").contains($0) }
    }
  }

  static func path(_ name: String, beside archive: String) -> String {
    (archive.parentFolder as NSString).appendingPathComponent(name)
  }

  /// Shard numbers in words: "3, 7-9".
  static func describe(_ shards: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for shard in shards.sorted() {
      if let last = runs.last, last.upperBound + 1 == shard {
        runs[runs.count - 1] = last.lowerBound...shard
      } else {
        runs.append(shard...shard)
      }
    }
    let texts = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
    return texts.prefix(20).joined(separator: ", ") + (texts.count > 20 ? " and more" : "")
  }

  private static func stem(_ archive: String) -> String {
    ((archive as NSString).lastPathComponent as NSString).deletingPathExtension
  }
}
