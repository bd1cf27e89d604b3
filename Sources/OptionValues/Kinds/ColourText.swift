/// A colour by name or by its red, green and blue in hexadecimal: `white`, `black`, `20a0ff`, `#20a0ff`.
public struct ColourText: Sendable, Equatable, CustomStringConvertible {
  /// Red, green and blue.
  public let samples: [UInt8]

  /// White.
  public static let white = ColourText(samples: [255, 255, 255])

  static let names: [String: [UInt8]] = ["white": [255, 255, 255], "black": [0, 0, 0], "gray": [128, 128, 128]]
  static let rule = "white, gray, black, or six hexadecimal digits such as 20a0ff"

  private init(samples: [UInt8]) { self.samples = samples }

  /// Reads a colour; nil where it is none.
  public init?(_ text: String) {
    if let samples = Self.names[text] {
      self.samples = samples
      return
    }
    let digits = text.hasPrefix("#") ? text.dropFirst() : text[...]
    guard digits.utf8.count == 6, digits.allSatisfy({ $0.isHexDigit && $0.isASCII }),
      let number = Int(digits, radix: 16)
    else { return nil }
    samples = [16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  /// Its name, or its digits in lower case: the same for the same colour.
  public var description: String {
    if let name = Self.names.first(where: { $0.value == samples })?.key { return name }
    return samples.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
