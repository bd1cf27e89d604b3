import Foundation

/// Resampling with Lanczos' kernel of three lobes, stretched where the image shrinks, so that nothing aliases.
///
/// Coefficients are normalised, kept as integers of 22 bits behind the point, and each of the two passes, along the rows and
/// then along the columns, rounds to 8 bits: what the data sets of the field were made with (`Image.resize` of Pillow with
/// `LANCZOS`), to the bit.
enum LanczosFilter {
  private static let lobes = 3.0
  private static let fractionBits = 22

  /// The source pixels of each target pixel along one side, and their weights.
  private struct Weights {
    var starts: [Int] = []
    /// `width` for each target pixel, zeros at the end where fewer count.
    var values: [Int32] = []
    let width: Int

    init(from source: Int, to target: Int) {
      let scale = Double(source) / Double(target)
      let stretch = max(scale, 1)
      let support = LanczosFilter.lobes * stretch
      width = Int(support.rounded(.up)) * 2 + 1
      for pixel in 0..<target {
        let centre = (Double(pixel) + 0.5) * scale
        let start = max(0, Int(centre - support + 0.5))
        let end = min(source, Int(centre + support + 0.5))
        let kernel = (start..<end).map { LanczosFilter.kernel((Double($0) - centre + 0.5) / stretch) }
        let sum = kernel.reduce(0, +)
        starts.append(start)
        for index in 0..<width {
          let weight = index < kernel.count ? kernel[index] / (sum == 0 ? 1 : sum) : 0
          values.append(Int32((weight * Double(1 << LanczosFilter.fractionBits)).rounded(.toNearestOrAwayFromZero)))
        }
      }
    }
  }

  private static func kernel(_ x: Double) -> Double {
    guard x > -lobes, x < lobes else { return 0 }
    func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(.pi * x) / (.pi * x) }
    return sinc(x) * sinc(x / lobes)
  }

  /// Resizes an image.
  /// - Parameters:
  ///   - pixels: bytes in row, column, channel order.
  ///   - shape: of them.
  /// - Returns: the bytes of an image of the other size, of as many channels.
  static func resize(_ pixels: [UInt8], _ shape: ImageShape, width: Int, height: Int) -> [UInt8] {
    precondition(shape.count > 0 && pixels.count == shape.count && width > 0 && height > 0, "\(shape) to nothing")
    var result = pixels
    if width != shape.width {
      result = horizontally(result, shape, Weights(from: shape.width, to: width), width)
    }
    if height != shape.height {
      result = vertically(result, shape.height, width * shape.channels, Weights(from: shape.height, to: height), height)
    }
    return result
  }

  private static func horizontally(_ pixels: [UInt8], _ shape: ImageShape, _ weights: Weights, _ width: Int) -> [UInt8]
  {
    let (channels, sourceRow) = (shape.channels, shape.width * shape.channels)
    return [UInt8](unsafeUninitializedCapacity: shape.height * width * channels) { target, initialized in
      pixels.withUnsafeBufferPointer { source in
        weights.values.withUnsafeBufferPointer { values in
          for row in 0..<shape.height {
            for column in 0..<width {
              let start = weights.starts[column]
              let count = min(weights.width, shape.width - start)
              let first = row * sourceRow + start * channels
              for channel in 0..<channels {
                var sum = half
                var place = first + channel
                for index in 0..<count {
                  sum &+= Int32(source[place]) &* values[column * weights.width + index]
                  place += channels
                }
                target[(row * width + column) * channels + channel] = clipped(sum)
              }
            }
          }
        }
      }
      initialized = shape.height * width * channels
    }
  }

  private static func vertically(
    _ pixels: [UInt8], _ sourceHeight: Int, _ rowBytes: Int, _ weights: Weights, _ height: Int
  ) -> [UInt8] {
    var sums = [Int32](repeating: 0, count: rowBytes)
    return [UInt8](unsafeUninitializedCapacity: height * rowBytes) { target, initialized in
      pixels.withUnsafeBufferPointer { source in
        sums.withUnsafeMutableBufferPointer { sums in
          for row in 0..<height {
            let start = weights.starts[row]
            for index in 0..<rowBytes { sums[index] = half }
            for offset in 0..<min(weights.width, sourceHeight - start) {
              let weight = weights.values[row * weights.width + offset]
              let first = (start + offset) * rowBytes
              for index in 0..<rowBytes { sums[index] &+= Int32(source[first + index]) &* weight }
            }
            for index in 0..<rowBytes { target[row * rowBytes + index] = clipped(sums[index]) }
          }
        }
      }
      initialized = height * rowBytes
    }
  }

  private static let half = Int32(1) << Int32(fractionBits - 1)

  private static func clipped(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> Int32(fractionBits)) }
}
