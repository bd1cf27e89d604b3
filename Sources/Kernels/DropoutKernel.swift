/// Dropout whose mask is a function of a key and the element's index alone, so that it can be made again.
public enum DropoutKernel {
  /// y = x / (1 - probability) where the element survives, else 0; `first` is the index of x[0] in the tensor.
  public static func apply(_ count: Int, _ x: Source, key: UInt64, first: Int, probability: Float, into y: Target) {
    let threshold = UInt32(min(Double(probability) * 4_294_967_296, 4_294_967_295))
    let scale = 1 / (1 - probability)
    for i in 0..<count {
      y[i] =
        UInt32(truncatingIfNeeded: mix(key &+ UInt64(first + i) &* 0x9E37_79B9_7F4A_7C15) >> 32) >= threshold
        ? x[i] * scale : 0
    }
  }

  /// SplitMix64's finalizer (Steele, Lea & Flood 2014).
  @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z &>> 31)
  }
}
