/// A row-major array of double precision, to be written.
public struct NumpyArray: Sendable {
  /// Its name in the archive.
  public let name: String
  /// The extent of each axis, outermost first.
  public let shape: [Int]
  /// The elements, row-major.
  public let values: [Double]

  /// - Precondition: as many values as the shape holds.
  public init(_ name: String, shape: [Int], values: [Double]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    (self.name, self.shape, self.values) = (name, shape, values)
  }

  /// The content of a `.npy` file, format 1.0, data at a multiple of 64 bytes.
  var fileBytes: [UInt8] {
    let extents = shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '<f8', 'fortran_order': False, 'shape': (\(extents)), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var bytes = NumpyHeader.magic + [1, 0] + UInt16(header.utf8.count).littleEndianBytes + Array(header.utf8)
    bytes.reserveCapacity(bytes.count + 8 * values.count)
    for value in values { bytes += value.bitPattern.littleEndianBytes }
    return bytes
  }
}

extension NumpyFile {
  /// Publishes a zip of arrays as `numpy.savez` writes them: it appears under `path` complete, or not at all.
  public static func publish(_ path: String, _ arrays: [NumpyArray]) throws {
    try ByteSink.publish(path) { sink in
      var archive = ZipWriter(sink: sink, folder: "")
      for array in arrays { try archive.add(array.name + ".npy", array.fileBytes) }
      try archive.finish()
    }
  }
}
