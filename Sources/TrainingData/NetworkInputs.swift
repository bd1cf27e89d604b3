import Compute
import Images

/// A byte of an image as networks take it, from -1 to 1.
public func normalized(_ byte: UInt8) -> Float { Float(byte) / 127.5 - 1 }

extension StoredImages {
  /// Some images as networks take them, [N, H, W, C], in the order of their numbers.
  /// - Throws: a `Failure` naming the image that is damaged.
  public func normalizedImages(_ numbers: [Int]) throws -> Tensor {
    let bytes = try numbers.flatMap { try images($0..<$0 + 1) }
    return Tensor(bytes.map(normalized), shape: [numbers.count, shape.height, shape.width, shape.channels])
  }
}
