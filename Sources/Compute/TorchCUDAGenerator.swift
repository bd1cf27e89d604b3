import Foundation

/// The random numbers that PyTorch draws on a GPU: Philox4x32-10 as cuRAND arranges it.
///
/// The key is the seed. Each element of a call is drawn by a thread of its own, whose number is the second half of the
/// counter; the first half counts the calls. Of the four words of a block a float normal takes two. This holds for calls of
/// up to as many elements as the GPU runs threads at once, which is more than an image of 64x64 pixels has on any GPU of
/// the last ten years, and 256x256 on the larger ones.
public struct TorchCUDAGenerator: Sendable {
  private let philox: Philox
  private var call: UInt64 = 0

  /// - Parameter seed: all 64 bits count.
  public init(seed: UInt64) { philox = Philox(seed: seed) }

  /// `count` standard normals: `torch.randn` in float32.
  public mutating func normals(_ count: Int) -> [Float] {
    let block = nextCall()
    let unit = Float(0x1p-32)
    // Rounded to nearest, as cuRAND's constant is; Swift's own Float.pi is rounded down.
    let turn = Float(2 * Double.pi) * unit
    return (0..<count).map { index in
      let words = philox(counter(block, index))
      let u = Float(words[0]) * unit + unit / 2
      let v = Float(words[1]) * turn + turn / 2
      return (-2 * log(u)).squareRoot() * sin(v)
    }
  }

  /// One integer in 0..<bound: `torch.randint`.
  /// - Precondition: 0 < bound < 2^32.
  public mutating func integer(below bound: Int) -> Int {
    precondition(bound > 0 && bound < 1 << 32, "an integer below \(bound)")
    return Int(philox(counter(nextCall(), 0))[0]) % bound
  }

  private mutating func nextCall() -> UInt64 {
    defer { call += 1 }
    return call
  }

  private func counter(_ block: UInt64, _ thread: Int) -> SIMD4<UInt32> {
    SIMD4(
      UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), UInt32(truncatingIfNeeded: thread),
      UInt32(truncatingIfNeeded: thread >> 32))
  }
}
