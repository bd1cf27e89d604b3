/// Dropout whose mask is a function of a key and the element's index alone, so that it can be made again.
public enum DropoutKernel {
  /// y = x / (1 - probability) where the element survives, else 0; `first` is the index of x[0] in the tensor.
  public static func apply(_ count: Int, _ x: Source, key: UInt64, first: Int, probability: Float, into y: Target) {
    let threshold = SIMD8<UInt32>(repeating: UInt32(min(Double(probability) * 4_294_967_296, 4_294_967_295)))
    let scale = Vector(repeating: 1 / (1 - probability))
    let step: UInt64 = 0x9E37_79B9_7F4A_7C15
    var position = SIMD8<UInt64>(repeating: key &+ UInt64(first) &* step)
    for lane in 0..<8 { position[lane] &+= UInt64(lane) &* step }
    let advance = SIMD8<UInt64>(repeating: 8 &* step)
    for8(count) { i, n in
      let bits = SIMD8<UInt32>(truncatingIfNeeded: mix(position) &>> SIMD8<UInt64>(repeating: 32))
      let kept = (read(x + i, n) * scale).replacing(with: Vector(repeating: 0), where: bits .< threshold)
      write(kept, y + i, n)
      position &+= advance
    }
  }

  /// SplitMix64's finalizer (Steele, Lea & Flood 2014).
  @inline(__always) static func mix(_ value: SIMD8<UInt64>) -> SIMD8<UInt64> {
    var z = value
    z = (z ^ (z &>> SIMD8(repeating: 30))) &* SIMD8(repeating: 0xBF58_476D_1CE4_E5B9)
    z = (z ^ (z &>> SIMD8(repeating: 27))) &* SIMD8(repeating: 0x94D0_49BB_1331_11EB)
    return z ^ (z &>> SIMD8(repeating: 31))
  }
}
