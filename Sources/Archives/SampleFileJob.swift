import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Images
import Sampling

/// One samples file in the making: takes batches, keeps them as parts, and puts the parts together.
///
/// One thread claims it and asks what is missing; from then on only the writer touches it.
final class SampleFileJob: @unchecked Sendable {
  /// What is common to all files of an archive.
  struct Setting: Sendable {
    let network: String
    let imageShape: [Int]
    let hasLabels: Bool
    let recipe: SampleRecipe
    let provenance: String
    let createdBy: String
    let sheet: (columns: Int, rows: Int)
    /// Whether a part is closed by time; otherwise it is closed when the maker of batches says so.
    let closesByTime: Bool
  }

  /// The images of the archive that the file holds.
  let images: Range<Int>
  let path: String
  private let parts: SampleParts
  private let setting: Setting
  private let attributes: [String: Int]

  // The part that is open: its first image, counted in the file, and what it holds.
  private var partStart = 0
  private var pixels: [UInt8] = []
  private var labels: [Int64] = []
  private var opened = 0.0

  // A part is closed by time or size, so that a kill loses seconds of work and memory stays bounded, however small an
  // image is.
  private static let partSeconds = 10.0
  private static let partBytes = 8 << 20
  private static let partImages = 8192

  /// Claims the file.
  /// - Parameters:
  ///   - path: where it will be published.
  ///   - images: those of the archive that it holds.
  ///   - attributes: numbers that it says about itself.
  /// - Throws: `PartsHeld` where another process makes it.
  init(_ path: String, images: Range<Int>, attributes: [String: Int], setting: Setting) throws {
    self.path = path
    self.images = images
    self.setting = setting
    self.attributes = attributes
    // Parts of another cut hold other seeds.
    let identity = attributes.isEmpty ? setting.provenance : "\(setting.provenance) images \(images)"
    parts = try SampleParts(
      output: path, provenance: identity, imageShape: setting.imageShape, hasLabels: setting.hasLabels,
      count: images.count)
  }

  /// The images that are in no part, in runs, counted in the file.
  var missing: [Range<Int>] { parts.missing }
  var finishedCount: Int { parts.finishedCount }
  var discarded: Int { parts.discarded }

  /// Gives the claim back without having done anything.
  func leave() { parts.remove() }

  /// Takes a batch.
  /// - Parameters:
  ///   - range: counted in the file; follows the last one, or begins a new run.
  ///   - closing: whether the part ends here.
  func append(_ range: Range<Int>, _ values: SampledValues, classes: [Int]?, closing: Bool) throws {
    guard let bytes = values.bytes else {
      let seeds = setting.recipe.seeds[images.lowerBound + range.lowerBound..<images.lowerBound + range.upperBound]
      throw Failure(
        .dataError, setting.network,
        "it gives numbers that are not finite for a seed of \(seeds.first ?? 0)...\(seeds.last ?? 0)",
        remedy: "check where this network comes from, and that nobody changed the file meanwhile")
    }
    let now = ProcessInfo.processInfo.systemUptime
    if pixels.isEmpty {
      partStart = range.lowerBound
      opened = now
    }
    pixels += bytes
    labels += (classes ?? []).map(Int64.init)
    let isFull = pixels.count >= min(Self.partBytes, Self.partImages * imageBytes)
    if closing || isFull || (setting.closesByTime && now - opened >= Self.partSeconds) {
      try closePart()
    }
  }

  /// Puts the open part on the disk.
  func closePart() throws {
    if pixels.isEmpty { return }
    let count = pixels.count / imageBytes
    try parts.publish(partStart..<partStart + count, images: pixels, labels: labels)
    pixels.removeAll(keepingCapacity: true)
    labels.removeAll(keepingCapacity: true)
  }

  /// Streams the parts into the file, in whole chunks, publishes it, and removes them.
  /// - Parameters:
  ///   - digested: is told the file's digest and its temporary name before it takes its own.
  ///   - companions: is shown the first images before the file takes its name.
  func finish(
    digested: (_ sha256: String, _ partialPath: String) throws -> Void,
    companions: (_ firstImages: [UInt8], _ count: Int) throws -> Void = { _, _ in }
  ) throws {
    try HDF5File.publish(
      path, completing: { try digested(try SHA256.hexDigest(ofFile: $0), $0) }
    ) { file in
      try file.root.setFormat(SampleArchiveFormat.format)
      try file.root.setAttribute("created_by", setting.createdBy)
      try file.root.setAttribute("provenance", setting.provenance)
      for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { try file.root.setAttribute(name, value) }
      let first = try copyParts(to: file.root)
      try companions(first, first.count / imageBytes)
      try file.root.writePreview(first, imageShape: setting.imageShape, columns: setting.sheet.columns)
    }
    parts.remove()
  }

  private var imageBytes: Int { setting.imageShape.reduce(1, *) }

  /// Returns the first images.
  private func copyParts(to root: HDF5Group) throws -> [UInt8] {
    let writer = try SampleDatasets(
      root, count: images.count, imageShape: setting.imageShape, hasLabels: setting.hasLabels)
    var first: [UInt8] = []
    for part in parts.finished {
      try Interruption.check()
      let content = try parts.read(part)
      let wanted = setting.sheet.columns * setting.sheet.rows * imageBytes - first.count
      if wanted > 0 { first += content.images.prefix(wanted) }
      let range = images.lowerBound + part.images.lowerBound..<images.lowerBound + part.images.upperBound
      try writer.append(content.images, labels: content.labels, seeds: setting.recipe.seeds[range])
    }
    try writer.finish(path)
    return first
  }
}

/// The data sets of a samples file, filled in order.
final class SampleDatasets {
  private let images: HDF5Dataset
  private let labels: HDF5Dataset?
  private let seeds: HDF5Dataset
  private let count: Int
  private let imageBytes: Int
  private let chunkRows: Int
  private var written = 0
  private var pending: (images: [UInt8], labels: [Int64], seeds: [UInt64]) = ([], [], [])

  /// - Parameters:
  ///   - root: gets `images`, `labels` where there are classes, and `seeds`.
  ///   - count: images that will come.
  ///   - imageShape: [H, W, C].
  ///   - hasLabels: whether there are classes.
  init(_ root: HDF5Group, count: Int, imageShape: [Int], hasLabels: Bool) throws {
    self.count = count
    imageBytes = imageShape.reduce(1, *)
    chunkRows = max(1, (256 << 10) / imageBytes)
    let storage = HDF5Storage.chunked(rows: chunkRows, checksum: true, deflate: nil)
    images = try root.createDataset("images", of: UInt8.self, shape: [count] + imageShape, storage: storage)
    labels =
      hasLabels ? try root.createDataset("labels", of: Int64.self, shape: [count], storage: storage) : nil
    seeds = try root.createDataset("seeds", of: UInt64.self, shape: [count], storage: storage)
  }

  /// Takes the next images; what does not fill a chunk waits.
  func append(_ images: [UInt8], labels: [Int64], seeds: [UInt64]) throws {
    pending.images += images
    pending.labels += labels
    pending.seeds += seeds
    let held = pending.seeds.count
    let rows = written + held >= count ? held : held / chunkRows * chunkRows
    guard rows > 0 else { return }
    let target = written..<written + rows
    try self.images.write(Array(pending.images.prefix(rows * imageBytes)), rows: target)
    try self.labels?.write(Array(pending.labels.prefix(rows)), rows: target)
    try self.seeds.write(Array(pending.seeds.prefix(rows)), rows: target)
    pending.images.removeFirst(rows * imageBytes)
    pending.labels.removeFirst(min(rows, pending.labels.count))
    pending.seeds.removeFirst(rows)
    written += rows
  }

  /// Refuses to be complete with images missing.
  func finish(_ path: String) throws {
    guard written == count else {
      throw Failure(.software, path, "\(written) of \(count) images are there when all should be")
    }
  }
}

extension HDF5Group {
  /// Writes `preview`, a sheet of images that viewers of HDF5 files show; nothing for images that are neither gray nor RGB.
  func writePreview(_ images: [UInt8], imageShape: [Int], columns: Int) throws {
    let shape = ImageShape(height: imageShape[0], width: imageShape[1], channels: imageShape[2])
    guard [1, 3].contains(shape.channels), !images.isEmpty else { return }
    let page = ContactSheet.page(images: images, count: images.count / shape.count, shape: shape, columns: columns)
    try writeImage(page.pixels, shape: [page.shape.height, page.shape.width, page.shape.channels], to: "preview")
  }
}
