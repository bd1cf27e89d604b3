import Foundation
import Images

/// A picture within the page: a PNG as a data URI.
struct Picture: Sendable {
  /// Pixels as they are shown.
  let width: Int
  let height: Int
  /// `data:image/png;base64,...`.
  let uri: String

  /// The largest side of a picture; larger images are averaged over squares of pixels until they are no larger.
  static let largestSide = 128

  /// Makes a picture of one image.
  /// - Parameters:
  ///   - pixels: [height, width, channels].
  ///   - shape: gray or RGB.
  ///   - largestSide: of the picture, in pixels.
  /// - Throws: a `Failure` where it cannot be encoded.
  init(_ pixels: ArraySlice<UInt8>, shape: ImageShape, largestSide: Int = Self.largestSide) throws {
    let (small, smallShape) = Self.reduced(pixels, shape, largestSide)
    (width, height) = (smallShape.width, smallShape.height)
    let png = try PNGEncoder.encode(small, shape: smallShape)
    uri = "data:image/png;base64," + Data(png).base64EncodedString()
  }

  /// The element.
  /// - Parameter alt: what stands for the picture where it is not seen.
  func element(alt: String) -> HTML {
    "<img src=\"\(uri)\" width=\"\(width)\" height=\"\(height)\" alt=\"\(alt)\" title=\"\(alt)\">"
  }

  static func reduced(_ pixels: ArraySlice<UInt8>, _ shape: ImageShape, _ largestSide: Int) -> (
    ArraySlice<UInt8>, ImageShape
  ) {
    let factor = (max(shape.height, shape.width) + largestSide - 1) / largestSide
    guard factor > 1 else { return (pixels, shape) }
    let small = ImageShape(
      height: max(1, shape.height / factor), width: max(1, shape.width / factor), channels: shape.channels)
    var result = [UInt8](repeating: 0, count: small.count)
    for y in 0..<small.height {
      for x in 0..<small.width {
        for channel in 0..<shape.channels {
          var (sum, count) = (0, 0)
          for row in y * factor..<min((y + 1) * factor, shape.height) {
            for column in x * factor..<min((x + 1) * factor, shape.width) {
              sum += Int(pixels[pixels.startIndex + (row * shape.width + column) * shape.channels + channel])
              count += 1
            }
          }
          result[(y * small.width + x) * shape.channels + channel] = UInt8((sum + count / 2) / max(count, 1))
        }
      }
    }
    return (result[...], small)
  }
}
