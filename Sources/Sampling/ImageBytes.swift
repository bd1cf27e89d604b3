import Compute

/// Images in [-1, 1] as bytes: truncate(clip(128 + 127.5 x, 0, 255)), in float64 as the official script does it.
public enum ImageBytes {
  /// The byte of one value; nil if the value is not finite.
  @inline(__always)
  static func byte(_ value: Double) -> UInt8? {
    value.isFinite ? UInt8(min(max(128 + 127.5 * value, 0), 255)) : nil
  }

  /// The bytes of all values in their order; nil if one of them is not finite.
  public static func bytes(_ values: [Double]) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: values.count)
    for (index, value) in values.enumerated() {
      guard let byte = byte(value) else { return nil }
      result[index] = byte
    }
    return result
  }

  /// The bytes of a tensor's elements in their order; nil if one of them is not finite.
  public static func bytes(_ images: Tensor) -> [UInt8]? {
    images.withUnsafeBufferPointer { values in
      var result = [UInt8](repeating: 0, count: values.count)
      for (index, value) in values.enumerated() {
        guard let byte = byte(Double(value)) else { return nil }
        result[index] = byte
      }
      return result
    }
  }
}
