import Foundation

/// Zips of numpy arrays as `numpy.savez` writes them, for tests.
public enum NpzStandIn {
  /// Writes arrays of double precision, row-major, stored without compression.
  public static func write(_ arrays: [(name: String, shape: [Int], values: [Double])], to path: String) throws {
    var (body, directory) = ([UInt8](), [UInt8]())
    for array in arrays {
      let name = Array("\(array.name).npy".utf8)
      let content = file(array.shape, array.values)
      let size = little(UInt32(content.count))
      let fields: [UInt8] =
        [20, 0, 0, 0, 0x21].flatMap { little(UInt16($0)) } + little(checksum(content)) + size + size
        + little(UInt16(name.count))
      directory +=
        Array("PK\u{1}\u{2}".utf8) + little(UInt16(20)) + fields + [UInt8](repeating: 0, count: 12)
        + little(UInt32(body.count)) + name
      body += Array("PK\u{3}\u{4}".utf8) + fields + [0, 0] + name + content
    }
    let count = little(UInt16(arrays.count))
    let end = Array("PK\u{5}\u{6}".utf8) + [0, 0, 0, 0] + count + count + little(UInt32(directory.count))
    try Data(body + directory + end + little(UInt32(body.count)) + [0, 0]).write(to: URL(fileURLWithPath: path))
  }

  /// A `.npy` file of format 1.0.
  private static func file(_ shape: [Int], _ values: [Double]) -> [UInt8] {
    let extents = shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '<f8', 'fortran_order': False, 'shape': (\(extents)), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0] + little(UInt16(header.utf8.count)) + Array(header.utf8)
      + values.withUnsafeBytes { Array($0) }
  }

  private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// CRC-32 as zip files have it.
  /// The CRC-32 of zip and PNG.
  public static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var table: [UInt32] = []
    for start in 0..<256 as Range<UInt32> {
      var entry = start
      for _ in 0..<8 { entry = (entry >> 1) ^ (entry & 1 == 1 ? 0xEDB8_8320 : 0) }
      table.append(entry)
    }
    var state = ~0 as UInt32
    for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ (state >> 8) }
    return ~state
  }
}
