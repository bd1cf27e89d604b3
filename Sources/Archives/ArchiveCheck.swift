import Diagnostics
import Files
import Foundation
import HDF5
import OptionValues
import Records
import Sampling

/// Checks an archive against its manifest, its seeds, and the network that it was made from.
public struct ArchiveCheck {
  /// The archive.
  public let reader: SampleReader
  /// What it should consist of.
  public let manifest: SampleManifest

  /// Opens an archive and its manifest.
  /// - Throws: a `Failure` where something is missing, or they do not belong together.
  public init(_ path: String) throws {
    reader = try SampleReader(path)
    manifest = try SampleManifest(of: path)
    let files = reader.shards?.map(\.file) ?? []
    let shape = [reader.shape.height, reader.shape.width, reader.shape.channels]
    guard manifest.images == reader.count, manifest.imageShape == shape, manifest.shards.map(\.file) == files,
      manifest.shards.map(\.images) == reader.shards?.map(\.rows) ?? [],
      manifest.origin == Provenance(json: reader.provenance)
    else {
      throw Failure(
        .dataError, path, "it is not the archive that \(SampleManifest.path(of: path)) describes",
        remedy: "copy archive and manifest together")
    }
  }

  /// The files with their digests: shards first, the archive itself last.
  public var files: [(path: String, sha256: String)] {
    manifest.shards.map { (ShardPlan.path($0.file, beside: reader.path), $0.sha256) } + [(reader.path, manifest.sha256)]
  }

  /// Compares a file with its digest.
  /// - Throws: a `Failure` (`dataError`) where it differs.
  public func checkDigest(_ file: (path: String, sha256: String)) throws {
    guard try SHA256.hexDigest(ofFile: file.path) != file.sha256 else { return }
    throw Failure(
      .dataError, file.path, "its SHA-256 is not the manifest's: the file was changed or damaged",
      remedy: "remove it and run sid-sample again, which makes what is missing")
  }

  /// Compares the seeds of all images with the list that they were made from.
  public func checkSeeds(progressed: (Int) -> Void = { _ in }) throws {
    let seeds = try SeedList(manifest.seeds)
    guard seeds.count == reader.count else {
      throw Failure(.dataError, reader.path, "\(reader.count) images of \(seeds.count) seeds")
    }
    let rows = 1 << 16
    for first in stride(from: 0, to: reader.count, by: rows) {
      try Interruption.check()
      let range = first..<min(first + rows, reader.count)
      guard try reader.seeds(range) == seeds[range] else {
        throw Failure(.dataError, reader.path, "the seeds of images \(range) are not those it was made from")
      }
      progressed(range.upperBound)
    }
  }

  /// How images that were made again compare with those of the archive.
  public struct Comparison: Sendable, Equatable {
    /// Images that were made again.
    public var images = 0
    /// Those of them that had to be equal, being of the same kernel set.
    public var exactImages = 0
    /// Their bytes.
    public var bytes = 0
    /// Bytes that differ.
    public var differingBytes = 0
    /// The largest difference.
    public var largestDifference = 0
  }

  // What kernels that differ in rounding may do to an image: a byte is truncated, and 35 evaluations amplify.
  private static let toleratedDifference = 4
  private static let toleratedShare = 0.05

  /// Makes images again and compares them.
  ///
  /// - Parameters:
  ///   - numbers: which images.
  ///   - denoiser: the network of the archive.
  ///   - recipe: as the archive's provenance says; classes come from the archive.
  ///   - maker: program version and kernel set of this process.
  /// - Throws: a `Failure` (`dataError`) naming the first image that differs, by a byte where the kernel sets are the same,
  ///   else by more than rounding.
  public func compare(_ numbers: [Int], with denoiser: some Denoiser, recipe: SampleRecipe, maker: String) throws
    -> Comparison
  {
    var result = Comparison()
    for number in numbers {
      try Interruption.check()
      let range = number..<number + 1
      let latents = Latents(
        seeds: try reader.seeds(range), imageShape: denoiser.imageShape, labelDim: denoiser.labelDim,
        choice: recipe.classChoice, listed: try reader.labels(range), convention: recipe.convention,
        keepingGenerators: recipe.sampler.drawsFreshNoise)
      let stored = try reader.images(range)
      guard let made = recipe.sampler.images(denoiser, latents), made.count == stored.count else {
        throw Failure(.dataError, reader.path, "image \(number) cannot be made again from this network")
      }
      if let labels = try reader.labels(range), labels != latents.classes {
        throw Failure(.dataError, reader.path, "image \(number) has class \(labels), expected \(latents.classes ?? [])")
      }
      let differences = zip(made, stored).map { abs(Int($0) - Int($1)) }
      let (count, largest) = (differences.count { $0 > 0 }, differences.max() ?? 0)
      let isExact = isSameMaker(of: number, as: maker)
      guard isExact ? count == 0 : largest <= Self.toleratedDifference else {
        throw Failure(
          .dataError, reader.path,
          "image \(number) differs from what the network makes of its seed: \(count) of \(stored.count) bytes, by up to "
            + "\(largest)", remedy: "the archive was changed, or another network made it")
      }
      result.images += 1
      result.exactImages += isExact ? 1 : 0
      result.bytes += stored.count
      result.differingBytes += count
      result.largestDifference = max(result.largestDifference, largest)
    }
    // All images together, since a small one has few bytes.
    guard Double(result.differingBytes) <= Self.toleratedShare * Double(result.bytes) + 8 else {
      throw Failure(
        .dataError, reader.path,
        "\(result.differingBytes) of \(result.bytes) bytes differ from what the network makes of their seeds, more than "
          + "rounding explains", remedy: "the archive was changed, or another network made it")
    }
    return result
  }

  /// Whether an image was computed by the program version and kernel set `maker`.
  private func isSameMaker(of number: Int, as maker: String) -> Bool {
    guard let origin = manifest.origin else { return false }
    if manifest.shards.isEmpty { return origin.maker == maker }
    var start = 0
    for shard in manifest.shards {
      start += shard.images
      if number < start {
        return origin.with(kernels: shard.kernels).maker == maker
          && manifest.shards.allSatisfy { $0.createdBy == shard.createdBy }
      }
    }
    return false
  }
}
