/// The size that pictures get: `64` for a square, or `64x48`, width and height, for a part of one.
public struct PictureSize: Sendable, Equatable, CustomStringConvertible {
  /// The side of the square, in pixels.
  public let width: Int
  /// At most the width.
  public let height: Int
  /// Whether it was said with both sides.
  public let hasBothSides: Bool

  /// The longest side, in pixels: what images of a data set may have.
  public static let maximumSide = 8192

  static let rule = "a whole number from 1 to \(maximumSide), or WIDTHxHEIGHT such as 512x384, not higher than wide"

  /// Reads one of the two forms; nil where it is something else.
  public init?(_ text: String) {
    let sides = text.split(separator: "x", maxSplits: 1, omittingEmptySubsequences: false).map { part in
      // Digits alone: a job file and a shell are to read the same.
      part.allSatisfy { ("0"..."9").contains($0) } ? Int(part) : nil
    }
    guard let first = sides.first, let width = first, let last = sides.last, let height = last,
      (1...Self.maximumSide).contains(width), (1...width).contains(height)
    else { return nil }
    (self.width, self.height, hasBothSides) = (width, height, sides.count == 2)
  }

  /// As it is given.
  public var description: String { hasBothSides ? "\(width)x\(height)" : "\(width)" }
}
