import KernelInterface

enum DropoutKernel: DropoutKernels {
  static func apply(_ count: Int, _ x: Source, key: UInt64, first: Int, probability: Float, into y: Target) {
    let threshold = VectorBits(repeating: UInt32(min(Double(probability) * 4_294_967_296, 4_294_967_295)))
    let scale = Vector(repeating: 1 / (1 - probability))
    let step: UInt64 = 0x9E37_79B9_7F4A_7C15
    var position = VectorKeys(repeating: key &+ UInt64(first) &* step)
    for lane in 0..<lanes { position[lane] &+= UInt64(lane) &* step }
    let advance = VectorKeys(repeating: UInt64(lanes) &* step)
    forEachGroup(count) { i, n in
      let bits = VectorBits(truncatingIfNeeded: mix(position) &>> VectorKeys(repeating: 32))
      let kept = (read(x + i, n) * scale).replacing(with: Vector(repeating: 0), where: bits .< threshold)
      write(kept, y + i, n)
      position &+= advance
    }
  }

  /// SplitMix64's finalizer (Steele, Lea & Flood 2014).
  @inline(__always) static func mix(_ value: VectorKeys) -> VectorKeys {
    var z = value
    z = (z ^ (z &>> VectorKeys(repeating: 30))) &* VectorKeys(repeating: 0xBF58_476D_1CE4_E5B9)
    z = (z ^ (z &>> VectorKeys(repeating: 27))) &* VectorKeys(repeating: 0x94D0_49BB_1331_11EB)
    return z ^ (z &>> VectorKeys(repeating: 31))
  }
}
