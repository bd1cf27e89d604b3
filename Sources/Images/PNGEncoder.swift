import CPNG
import Diagnostics
import Files

/// Writes PNG files.
public enum PNGEncoder {
  /// Publishes an image of 8 bits a channel.
  ///
  /// - Parameters:
  ///   - pixels: [height, width, channels], rows from the top.
  ///   - shape: gray or RGB, at least one pixel.
  ///   - path: the file; complete under this name or not there.
  /// - Throws: a `Failure` naming the file where it cannot be written.
  public static func write(_ pixels: [UInt8], shape: ImageShape, to path: String) throws {
    precondition(shape.channels == 1 || shape.channels == 3, "a PNG of \(shape)")
    precondition(shape.count > 0 && pixels.count == shape.count, "\(pixels.count) bytes for \(shape)")
    try AtomicFile.publish(path) { partial in
      var message = [CChar](repeating: 0, count: 64)
      let written = sid_png_write(
        partial, pixels, UInt32(shape.width), UInt32(shape.height), Int32(shape.channels), &message)
      guard written == 1 else {
        let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        throw Failure(.ioError, path, "cannot write the PNG: \(reason)")
      }
    }
  }

  /// An image of 8 bits a channel as the content of a PNG file, encoded for speed.
  /// - Parameters:
  ///   - pixels: [height, width, channels], rows from the top.
  ///   - shape: gray or RGB, at least one pixel.
  public static func encode(_ pixels: ArraySlice<UInt8>, shape: ImageShape) throws -> [UInt8] {
    precondition(shape.channels == 1 || shape.channels == 3, "a PNG of \(shape)")
    precondition(shape.count > 0 && pixels.count == shape.count, "\(pixels.count) bytes for \(shape)")
    let (width, height, channels) = (UInt32(shape.width), UInt32(shape.height), Int32(shape.channels))
    var message = [CChar](repeating: 0, count: 64)
    let content = [UInt8](unsafeUninitializedCapacity: sid_png_bound(width, height, channels)) { target, count in
      count = pixels.withUnsafeBufferPointer {
        sid_png_encode(target.baseAddress, target.count, $0.baseAddress, width, height, channels, &message)
      }
    }
    guard !content.isEmpty else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw Failure(.software, "libpng", "cannot encode \(shape): \(reason)")
    }
    return content
  }
}
