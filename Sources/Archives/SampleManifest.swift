import Diagnostics
import Files
import Foundation
import HDF5
import OptionValues
import Records

/// What an archive consists of, `NAME.manifest.json` beside it: digests of all its files, of the network and of other
/// inputs, every option, program version and kernel set.
public struct SampleManifest: Codable, Sendable, Equatable {
  /// One shard.
  public struct Shard: Codable, Sendable, Equatable {
    /// Its file name.
    public let file: String
    /// Its number of images.
    public let images: Int
    /// Their seeds, as a list of ranges.
    public let seeds: String
    /// The digest of the file, hexadecimal.
    public let sha256: String
    /// The kernel set that computed it.
    public let kernels: String?
    /// The program and version that wrote it.
    public let createdBy: String

    enum CodingKeys: String, CodingKey {
      case file, images, seeds, sha256, kernels
      case createdBy = "created_by"
    }
  }

  /// `sid-samples-manifest`.
  public let format: String
  /// 1.
  public let formatVersion: Int
  /// The program and version that closed the archive.
  public let createdBy: String
  /// The file name of the archive.
  public let archive: String
  /// The digest of that file, hexadecimal.
  public let sha256: String
  /// The number of images.
  public let images: Int
  /// [H, W, C].
  public let imageShape: [Int]
  /// Their seeds, as a list of ranges.
  public let seeds: String
  /// What the images were made from; nil where it is not known.
  public let origin: Provenance?
  /// The shards in the order of their images; none where the archive is one file.
  public let shards: [Shard]

  enum CodingKeys: String, CodingKey {
    case format, archive, sha256, images, seeds, shards
    case formatVersion = "format_version"
    case createdBy = "created_by"
    case imageShape = "image_shape"
    case origin = "provenance"
  }

  private static let formatName = "sid-samples-manifest"

  init(
    _ archive: String, sha256: String, createdBy: String, provenance: String, imageShape: [Int], seeds: SeedList,
    shards: [Shard] = []
  ) {
    format = Self.formatName
    formatVersion = 1
    self.createdBy = createdBy
    self.archive = (archive as NSString).lastPathComponent
    self.sha256 = sha256
    images = seeds.count
    self.imageShape = imageShape
    self.seeds = seeds.description
    origin = Provenance(json: provenance)
    self.shards = shards
  }

  /// Where the manifest of an archive stands.
  public static func path(of archive: String) -> String {
    (archive as NSString).deletingPathExtension + ".manifest.json"
  }

  /// Reads the manifest of an archive.
  /// - Throws: a `Failure`: `noInput` where there is none, `dataError` where it is none of ours.
  public init(of archive: String) throws {
    let path = Self.path(of: archive)
    guard access(path, F_OK) == 0 else {
      throw Failure(.noInput, path, "no such file: the manifest stands beside its archive", remedy: "copy it too")
    }
    let data = try InputFile.content(of: path, expected: "the manifest of an archive", limitBytes: 1 << 28)
    guard let manifest = try? JSONDecoder().decode(Self.self, from: data), manifest.format == Self.formatName,
      manifest.formatVersion == 1
    else { throw Failure(.dataError, path, "not the manifest of an archive") }
    self = manifest
  }

  /// Whether an archive has a manifest: it says the seeds that it was made from.
  public static func isDue(_ reader: SampleReader) -> Bool { seeds(of: reader) != nil }

  private static func seeds(of reader: SampleReader) -> SeedList? {
    guard let list = Provenance(json: reader.provenance)?.options["seeds"], let seeds = try? SeedList(list),
      seeds.count == reader.count
    else { return nil }
    return seeds
  }

  /// Makes the manifest of a finished archive anew, where it has one.
  ///
  /// - Parameters:
  ///   - reader: the archive.
  ///   - known: digests of its files by path, as far as they are known.
  ///   - digest: computes the others.
  /// - Returns: the digests of all its files, by path.
  /// - Throws: a `Failure` where the archive or a shard cannot be read; what `digest` throws.
  public static func restore(
    of reader: SampleReader, sha256 known: [String: String] = [:], digest: (String) throws -> String
  ) throws -> [String: String] {
    let archive = reader.path
    guard let seeds = seeds(of: reader) else { return known }
    if reader.shards != nil {
      return try SampleMaster(shardsOf: archive, mixingKernels: true).restoreManifest(seeds, sha256: known, digest)
    }
    let sha256 = try known[archive] ?? digest(archive)
    try SampleManifest(
      archive, sha256: sha256, createdBy: try HDF5File.open(archive).root.stringAttribute("created_by"),
      provenance: reader.provenance, imageShape: [reader.shape.height, reader.shape.width, reader.shape.channels],
      seeds: seeds
    ).publish(beside: archive)
    return [archive: sha256]
  }

  func publish(beside archive: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    try AtomicFile.publish(Self.path(of: archive), data: try encoder.encode(self) + Data("\n".utf8))
  }
}
