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

  /// The image with chunks behind its header; libpng passes over those of an animation.
  private func withChunks(_ chunks: [(String, [UInt8])]) throws -> [UInt8] {
    func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    var data = try MadeImage.png(1)
    for (name, content) in chunks.reversed() {
      let body = Array(name.utf8) + content
      data.insert(contentsOf: big(UInt32(content.count)) + body + big(NpzStandIn.checksum(body)), at: 33)
    }
    return data
  }

  @Test("An animation is refused with its number of frames; one frame that is the image itself is read")
  func animation() throws {
    let control = ("fcTL", [UInt8](repeating: 0, count: 26))
    func frames(_ count: UInt8) -> (String, [UInt8]) { ("acTL", [0, 0, 0, count, 0, 0, 0, 0]) }
    for (chunks, words) in [
      ([frames(2), control], "(APNG): 2 frames"), ([frames(7), control], "7 frames"), ([frames(1)], "2 frames"),
    ] {
      let failure = try #require(throws: Failure.self) { try PNGDecoder.decode(withChunks(chunks), subject: "x.png") }
      #expect(failure.status == .dataError && failure.description.contains(words), "\(failure)")
    }
    #expect(try PNGDecoder.decode(withChunks([frames(1), control]), subject: "a").pixels == MadeImage.pixels(1))
    #expect(try PNGDecoder.decode(withChunks([]), subject: "a").pixels == MadeImage.pixels(1))
  }

  @Test("An image that is larger than those that are read is told from a damaged one, with the limit")
  func large() throws {
    var data = try MadeImage.png(1)
    for side: UInt16 in [8193, 20_000] {
      data.replaceSubrange(16..<24, with: [0, 0, UInt8(side >> 8), UInt8(side & 255), 0, 0, 0, 8])
      let failure = try #require(throws: Failure.self) { try PNGDecoder.decode(data, subject: "x.png") }
      #expect(failure.problem == "a PNG image of 8x\(side) pixels; images of at most 8192x8192 are read")
    }
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
