import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Images
import OptionValues
import Records

/// Converts an archive into what other tools read, image by image, in constant memory.
public struct ArchiveExport: Sendable {
  /// The formats by the names of `--to`.
  public enum Format: String, Sendable, CaseIterable {
    /// EDM's data set: a stored zip of PNG files and `dataset.json`.
    case edmZip = "edm-zip"
    /// ADM's sample batch: `arr_0`, `arr_1`.
    case npz
    /// WebDataset's tar shards in a folder.
    case webdataset
    /// A folder of PNG files.
    case png
    /// One HDF5 file, whatever the shards.
    case hdf5

    /// Whether the output is a folder.
    public var isFolder: Bool { self == .webdataset || self == .png }

    /// The output beside an archive, unless another is chosen.
    public func output(beside archive: String) -> String {
      let stem = (archive as NSString).deletingPathExtension
      return switch self {
      case .edmZip: stem + ".zip"
      case .npz: stem + ".npz"
      case .webdataset: stem + "-webdataset"
      case .png: stem + "-png"
      case .hdf5: stem + "-whole.h5"
      }
    }
  }

  /// The format.
  public let format: Format
  /// A folder for every thousand seeds; png.
  public var subdirs: Bool
  /// Images of a tar; webdataset.
  public var imagesPerTar: Int

  /// - Parameters:
  ///   - format: the format.
  ///   - subdirs: a folder for every thousand seeds; png.
  ///   - imagesPerTar: images of a tar; webdataset.
  public init(_ format: Format, subdirs: Bool = false, imagesPerTar: Int = 10_000) {
    self.format = format
    self.subdirs = subdirs
    self.imagesPerTar = imagesPerTar
  }

  /// Writes an archive in this format; the output appears complete or not at all.
  ///
  /// - Parameters:
  ///   - reader: the archive.
  ///   - output: a file, or a folder where the format is one.
  ///   - replacing: takes the place of a folder that is there.
  ///   - createdBy: the program, where the format says it.
  ///   - progressed: is told the images done.
  ///   - shouldStop: asked now and then; true ends the work with nothing left behind.
  ///   - willPublish: called before the output gets its name, with the inode that it will have there.
  /// - Returns: whether it is there.
  /// - Throws: a `Failure` where the archive cannot be read, the format cannot hold it, or the output not be written.
  public func write(
    _ reader: SampleReader, to output: String, replacing: Bool = false, createdBy: String,
    progressed: (Int) -> Void = { _ in }, shouldStop: () -> Bool = { false },
    willPublish: (_ inode: UInt64) throws -> Void = { _ in }
  ) throws -> Bool {
    try check(reader)
    do {
      let body = { (path: String) in
        try fill(path, output, reader, createdBy, progressed, shouldStop)
        try willPublish(AtomicFile.inode(of: path))
      }
      if format.isFolder {
        try AtomicFolder.publish(output, replacing: replacing, body)
      } else if format == .hdf5 {
        try copy(reader, to: output, createdBy, progressed, shouldStop, willPublish)
      } else {
        try AtomicFile.publish(output, body)
      }
      return true
    } catch is Stopped {
      return false
    }
  }

  private struct Stopped: Error {}

  private func check(_ reader: SampleReader) throws {
    guard format == .npz || format == .hdf5 || [1, 3].contains(reader.shape.channels) else {
      throw Failure(.dataError, reader.path, "images of \(reader.shape) have no PNG", remedy: "export --to npz")
    }
    guard format == .png else { return }
    let seeds = try Provenance(json: reader.provenance)?.options["seeds"].map { try SeedList($0) }
    guard seeds.map({ !$0.hasRepetitions }) ?? true else {
      throw Failure(
        .dataError, reader.path, "seeds occur more than once, and PNG files are named by their seeds",
        remedy: "export --to edm-zip or webdataset")
    }
  }

  private func sink(_ path: String, _ output: String, _ reader: SampleReader) throws -> any ImageSink {
    switch format {
    case .edmZip: return try EDMDatasetSink(path, hasLabels: reader.hasLabels)
    case .npz:
      return try NumpyImagesSink(path, count: reader.count, shape: reader.shape, hasLabels: reader.hasLabels)
    case .webdataset:
      let name = ((reader.path as NSString).lastPathComponent as NSString).deletingPathExtension
      return WebDatasetSink(folder: path, name: name, imagesPerShard: imagesPerTar)
    case .png: return try PNGFolderSink(folder: path, subdirs: subdirs, hasLabels: reader.hasLabels)
    case .hdf5: preconditionFailure("HDF5 has no sink")
    }
  }

  private func fill(
    _ path: String, _ output: String, _ reader: SampleReader, _ createdBy: String, _ progressed: (Int) -> Void,
    _ shouldStop: () -> Bool
  ) throws {
    let sink = try sink(path, output, reader)
    let takesPNG = type(of: sink).takesPNG
    let bytes = reader.shape.count
    try forEachBlock(reader, progressed, shouldStop) { first, pixels, labels, seeds in
      let files =
        takesPNG
        ? Threads.map(Array(seeds.indices)) { row in
          Result { try PNGEncoder.encode(pixels[row * bytes..<(row + 1) * bytes], shape: reader.shape) }
        } : []
      for row in seeds.indices {
        try sink.add(
          ExportedImage(
            index: first + row, seed: seeds[row], label: labels?[row], pixels: pixels[row * bytes..<(row + 1) * bytes],
            png: takesPNG ? try files[row].get() : []))
      }
    }
    try sink.finish()
  }

  private func copy(
    _ reader: SampleReader, to output: String, _ createdBy: String, _ progressed: (Int) -> Void,
    _ shouldStop: () -> Bool, _ willPublish: (UInt64) throws -> Void
  ) throws {
    let shape = [reader.shape.height, reader.shape.width, reader.shape.channels]
    try HDF5File.publish(output) { file in
      try file.root.setFormat(SampleArchiveFormat.format)
      try file.root.setAttribute("created_by", createdBy)
      try file.root.setAttribute("provenance", reader.provenance)
      let writer = try SampleDatasets(
        file.root, count: reader.count, imageShape: shape, hasLabels: reader.hasLabels)
      try forEachBlock(reader, progressed, shouldStop) { _, pixels, labels, seeds in
        try writer.append(pixels, labels: (labels ?? []).map(Int64.init), seeds: seeds)
      }
      try writer.finish(output)
      try file.root.writePreview(try reader.images(0..<min(128, reader.count)), imageShape: shape, columns: 16)
      try willPublish(AtomicFile.inode(of: AtomicFile.partial(of: output)))
    }
  }

  private func forEachBlock(
    _ reader: SampleReader, _ progressed: (Int) -> Void, _ shouldStop: () -> Bool,
    _ body: (_ first: Int, _ pixels: [UInt8], _ labels: [Int]?, _ seeds: [UInt64]) throws -> Void
  ) throws {
    // As many images as make 4 MiB: a few chunks.
    let rows = max(1, min(4096, (4 << 20) / reader.shape.count))
    for first in stride(from: 0, to: reader.count, by: rows) {
      if shouldStop() { throw Stopped() }
      let range = first..<min(first + rows, reader.count)
      try body(first, try reader.images(range), try reader.labels(range), try reader.seeds(range))
      progressed(range.upperBound)
    }
  }
}
