import Compute

/// The feature sets of the recorded distances that are given by a formula instead of numbers.
enum FormulaFeatures {
  /// Uniform numbers in [0, 1) of a named stream: FNV-1a of the name, then splitmix64.
  static func uniform(_ name: String, index: Int) -> Double { uniform(hash(name), index) }

  /// x[i, j] = (2u - 1) s[j] scale + b[j] with s = 0.5 + u and b = shift (2u - 1).
  static func make(tag: String, rows: Int, columns: Int, shift: Double, scale: Double) -> Tensor {
    let stream = hash(tag + "/x")
    let spread = (0..<columns).map { 0.5 + uniform(tag + "/scale", index: $0) }
    let offset = (0..<columns).map { shift * (2 * uniform(tag + "/shift", index: $0) - 1) }
    let values = (0..<rows * columns).map { index -> Float in
      let column = index % columns
      return Float((2 * uniform(stream, index) - 1) * spread[column] * scale + offset[column])
    }
    return Tensor(values, shape: [rows, columns])
  }

  private static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  private static func uniform(_ hash: UInt64, _ index: Int) -> Double {
    var z = hash &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    return Double(z >> 40) * 0x1p-24
  }
}
