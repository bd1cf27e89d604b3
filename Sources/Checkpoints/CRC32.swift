/// The checksum of zip files (reflected polynomial 0xEDB88320), eight bytes a step.
struct CRC32 {
  private static let tables: [[UInt32]] = {
    var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
    for n in 0..<256 {
      var c = UInt32(n)
      for _ in 0..<8 { c = c & 1 == 1 ? 0xEDB8_8320 ^ (c >> 1) : c >> 1 }
      tables[0][n] = c
    }
    for n in 0..<256 {
      for k in 1..<8 { tables[k][n] = tables[0][Int(tables[k - 1][n] & 0xFF)] ^ (tables[k - 1][n] >> 8) }
    }
    return tables
  }()
  private static let flat: [UInt32] = tables.flatMap { $0 }

  private var state: UInt32 = 0xFFFF_FFFF

  /// The checksum of everything so far.
  var value: UInt32 { ~state }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    var crc = state
    Self.flat.withUnsafeBufferPointer { table in
      var i = 0
      while i + 8 <= bytes.count {
        let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt32.self)) ^ crc
        let high = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: i + 4, as: UInt32.self))
        let a = table[Int(7 * 256 + (low & 0xFF))] ^ table[Int(6 * 256 + ((low >> 8) & 0xFF))]
        let b = table[Int(5 * 256 + ((low >> 16) & 0xFF))] ^ table[Int(4 * 256 + (low >> 24))]
        let c = table[Int(3 * 256 + (high & 0xFF))] ^ table[Int(2 * 256 + ((high >> 8) & 0xFF))]
        let d = table[Int(256 + ((high >> 16) & 0xFF))] ^ table[Int(high >> 24)]
        crc = (a ^ b) ^ (c ^ d)
        i += 8
      }
      while i < bytes.count {
        crc = table[Int((crc ^ UInt32(bytes[i])) & 0xFF)] ^ (crc >> 8)
        i += 1
      }
    }
    state = crc
  }
}
