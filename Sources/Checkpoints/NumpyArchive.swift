import Diagnostics

/// numpy's files: one array (`.npy`), or a zip of them (`.npz`), stored or deflated.
enum NumpyArchive {
  /// Whether a zip archive is numpy's: it has arrays, and neither pictures, as a data set, nor a pickle of torch.save.
  static func matches(_ directory: ZipDirectory) -> Bool {
    directory.entries.contains(where: isArray) && !directory.entries.contains(where: TorchZipArchive.isPickle)
      && !directory.entries.contains { pictures.contains($0.storedName.pathExtension) }
  }

  private static let pictures: Set = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pnm"]

  private static func isArray(_ entry: ZipDirectory.Entry) -> Bool { entry.name.hasSuffix(".npy") }

  /// The entries that are arrays, by their names without the suffix, and the names of the others.
  static func contents(of directory: ZipDirectory) -> (
    arrays: [(name: String, entry: ZipDirectory.Entry)], others: [String]
  ) {
    (
      directory.entries.filter(isArray).map { (String($0.name.dropLast(".npy".count)), $0) },
      directory.entries.filter { !isArray($0) }.map(\.name)
    )
  }

  /// The array that fills a `.npy` file.
  static func readArray(_ file: CheckpointFile) throws -> StoredTensor {
    let beginning = try file.bytes(ByteRange(start: 0, count: min(file.size, NumpyHeader.limitBytes)))
    let header = try NumpyHeader(beginning, name: "array", file: file)
    let data = ByteRange(start: header.byteCount, count: file.size - header.byteCount)
    return try header.tensor(name: "array", dataBytes: data.count, file: file) { $0.bytes = data }
  }

  /// The array in an entry of a `.npz` file.
  static func read(_ entry: ZipDirectory.Entry, in file: CheckpointFile) throws -> StoredTensor {
    let beginning: [UInt8]
    if entry.isDeflated {
      let largest = entry.bytes.count.multipliedReportingOverflow(by: Inflation.largestRatio)
      guard largest.overflow || entry.size <= largest.partialValue else {
        throw file.refuse("the zip entry \(entry.name) declares \(entry.size) bytes, more than its data can hold")
      }
      beginning = try Inflation.beginning(of: entry, in: file, count: NumpyHeader.limitBytes)
    } else {
      beginning = try file.bytes(
        ByteRange(start: entry.bytes.start, count: min(entry.bytes.count, NumpyHeader.limitBytes)))
    }
    let header = try NumpyHeader(beginning, name: entry.name, file: file)
    let dataBytes = entry.size - header.byteCount
    return try header.tensor(name: entry.name, dataBytes: dataBytes, file: file) { storage in
      storage.entry = entry
      storage.entryOffset = header.byteCount
      if !entry.isDeflated {
        storage.bytes = ByteRange(start: entry.bytes.start + header.byteCount, count: dataBytes)
      }
    }
  }
}
