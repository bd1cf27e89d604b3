import Diagnostics
import Files
import Foundation
import OptionValues

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
  public let origin: SampleOrigin?
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
    origin = SampleOrigin(json: provenance)
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
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.noInput, path, "no such file: the manifest stands beside its archive", remedy: "copy it too")
    }
    guard let manifest = try? JSONDecoder().decode(Self.self, from: data), manifest.format == Self.formatName,
      manifest.formatVersion == 1
    else { throw Failure(.dataError, path, "not the manifest of an archive") }
    self = manifest
  }

  func publish(beside archive: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    try AtomicFile.publish(Self.path(of: archive), data: try encoder.encode(self) + Data("\n".utf8))
  }
}
