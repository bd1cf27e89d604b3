import Diagnostics

/// numpy's files: one array (`.npy`), or a zip of them (`.npz`), stored or deflated.
enum NumpyArchive {
  /// Whether every entry of a zip archive is an array.
  static func matches(_ directory: ZipDirectory) -> Bool {
    !directory.entries.isEmpty && directory.entries.allSatisfy { $0.name.hasSuffix(".npy") }
  }

  /// The array that fills a `.npy` file.
  static func readArray(_ file: CheckpointFile) throws -> StoredTensor {
    let beginning = try file.bytes(ByteRange(start: 0, count: min(file.size, NumpyHeader.limitBytes)))
    let header = try NumpyHeader(beginning, name: "array", file: file)
    let data = ByteRange(start: header.byteCount, count: file.size - header.byteCount)
    return try header.tensor(name: "array", dataBytes: data.count, file: file) { $0.bytes = data }
  }

  /// The arrays of a `.npz` file, by the names of their entries without the suffix.
  static func read(_ directory: ZipDirectory, in file: CheckpointFile) throws -> [(name: String, tensor: StoredTensor)]
  {
    try directory.entries.map { entry in
      let name = String(entry.name.dropLast(".npy".count))
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
      let tensor = try header.tensor(name: entry.name, dataBytes: dataBytes, file: file) { storage in
        storage.entry = entry
        storage.entryOffset = header.byteCount
        if !entry.isDeflated {
          storage.bytes = ByteRange(start: entry.bytes.start + header.byteCount, count: dataBytes)
        }
      }
      return (name, tensor)
    }
  }
}
