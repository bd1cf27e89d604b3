import Compute
import Images

/// Images as the rows of a matrix whose products tell the distance to an image and to its mirror image at once.
///
/// A row holds the even part of the image, which its mirror image shares, and behind it the odd part, whose sign that changes:
/// (a + b) / √2 and (a - b) / √2 of each pair of opposite pixels. The product with an image is the sum of both parts' products, that
/// with its mirror image their difference.
struct MirrorBlock {
  /// [rows, bytes of an image].
  let values: Tensor
  /// Where the odd part begins.
  let evenCount: Int
  /// The squared length of each row.
  let squares: [Float]

  /// - Parameters:
  ///   - images: bytes of images, one after the other.
  ///   - shape: of an image.
  ///   - rows: which of them.
  init(_ images: [UInt8], shape: ImageShape, rows: Range<Int>) {
    let size = shape.count
    precondition(
      rows.lowerBound >= 0 && rows.upperBound * size <= images.count, "images \(rows) of \(images.count) bytes")
    let (width, channels) = (shape.width, shape.channels)
    let even = shape.height * (width - width / 2) * channels
    var squares = [Float](repeating: 0, count: rows.count)
    values = Tensor(shape: [rows.count, size]) { target in
      let half = Float(0.5).squareRoot()
      images.withUnsafeBufferPointer { images in
        for (row, image) in rows.enumerated() {
          var (sum, evenPlace, oddPlace) = (0, row * size, row * size + even)
          // Bytes less 128: small numbers round less.
          func value(_ byte: Int) -> Int {
            let value = Int(images[image * size + byte]) - 128
            sum += value * value
            return value
          }
          for line in stride(from: 0, to: size, by: width * channels) {
            for left in 0..<width / 2 * channels {
              let right = (width - 1 - left / channels) * channels + left % channels
              let (a, b) = (value(line + left), value(line + right))
              target[evenPlace] = Float(a + b) * half
              target[oddPlace] = Float(a - b) * half
              (evenPlace, oddPlace) = (evenPlace + 1, oddPlace + 1)
            }
            guard width % 2 == 1 else { continue }
            for channel in 0..<channels {
              target[evenPlace] = Float(value(line + width / 2 * channels + channel))
              evenPlace += 1
            }
          }
          squares[row] = Float(sum)
        }
      }
    }
    (self.squares, evenCount) = (squares, even)
  }

  /// Rows for which a block of numbers stays within 16 MiB, where images are not larger than that.
  static func rows(size: Int) -> Int { max(16, min(1024, (4 << 20) / max(1, size))) }
}

extension ImageShape {
  /// Each image of some with left and right exchanged.
  func mirrored(_ images: [UInt8]) -> [UInt8] {
    var result = images
    for start in stride(from: 0, to: images.count, by: width * channels) {
      for x in 0..<width {
        for channel in 0..<channels {
          result[start + x * channels + channel] = images[start + (width - 1 - x) * channels + channel]
        }
      }
    }
    return result
  }
}
