import Diagnostics
import Foundation
import Images
import Testing
import TestSupport

@Suite struct PNGDecoderTests {
  private func file(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("images/\(name).png"))))
  }

  private func pattern(_ shape: ImageShape) -> [UInt8] {
    (0..<shape.count).map { index in
      let (pixel, c) = index.quotientAndRemainder(dividingBy: shape.channels)
      let (y, x) = pixel.quotientAndRemainder(dividingBy: shape.width)
      return UInt8(truncatingIfNeeded: y * 31 + x * 7 + c * 85)
    }
  }

  @Test("An interlaced image and one with a gamma give the bytes that were stored")
  func pixels() throws {
    let interlaced = try PNGDecoder.decode(file("interlaced_rgb_11x13"), subject: "a")
    #expect(interlaced.shape == ImageShape(height: 11, width: 13, channels: 3))
    #expect(interlaced.pixels == pattern(interlaced.shape))
    let gray = try PNGDecoder.decode(file("gray_5x3_gamma"), subject: "a")
    #expect(gray.shape == ImageShape(height: 5, width: 3, channels: 1))
    #expect(gray.pixels == pattern(gray.shape))
  }

  @Test(
    "Other kinds of PNG are refused by name",
    arguments: [
      ("palette", "palette"), ("gray16", "16-bit gray"), ("gray1", "1-bit gray"), ("rgba", "RGB and alpha"),
      ("huge", "PNG"),
    ])
  func refused(name: String, word: String) throws {
    let data = try file(name)
    let failure = #expect(throws: Failure.self) { try PNGDecoder.decode(data, subject: "x.png") }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(word) == true)
    #expect(failure?.subject == "x.png")
  }

  @Test(
    "Bytes behind the end of an image change nothing, whatever they look like",
    arguments: [
      Array("<!-- a comment of the site -->".utf8), [0], [0xFF, 0xFF, 0xFF, 0xFF, 0x49, 0x44, 0x41, 0x54],
      [UInt8](repeating: 0, count: 4096), [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13],
    ])
  func bytesBehind(tail: [UInt8]) throws {
    let whole = try file("interlaced_rgb_11x13")
    let image = try PNGDecoder.decode(whole + tail, subject: "a")
    #expect(image.pixels == pattern(image.shape))
    // They do not make up for what is missing before them.
    #expect(throws: Failure.self) { try PNGDecoder.decode(Array(whole.dropLast(13)) + tail, subject: "a") }
  }

  @Test("An image that is cut or changed anywhere is refused")
  func damaged() throws {
    let whole = try file("interlaced_rgb_11x13")
    for length in 0..<whole.count - 12 {
      #expect(throws: Failure.self, "cut to \(length)") { try PNGDecoder.decode(Array(whole[..<length]), subject: "a") }
    }
    // The last chunk carries no content; everything before it is covered by a checksum.
    for position in 0..<whole.count - 12 {
      var data = whole
      data[position] ^= 0x20
      // A changed bit may turn a chunk's name into one that may be ignored, never the pixels into others.
      if let image = try? PNGDecoder.decode(data, subject: "a") { #expect(image.pixels == pattern(image.shape)) }
    }
    #expect(throws: Failure.self) { try PNGDecoder.decode(file("large_in_limits"), subject: "a") }
  }
}
