/// The byte order mark: three bytes that editors of Windows put before UTF-8 text. It is no part of the text.
public enum ByteOrderMark {
  /// U+FEFF in UTF-8.
  public static let utf8: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// A text without the mark at its start, if it has one.
  public static func removed(from text: [UInt8]) -> [UInt8] {
    text.starts(with: utf8) ? Array(text.dropFirst(utf8.count)) : text
  }

  /// Whether a text begins with the mark of UTF-16, of either byte order.
  public static func isUTF16(_ text: [UInt8]) -> Bool {
    text.starts(with: [0xFF, 0xFE]) || text.starts(with: [0xFE, 0xFF])
  }
}
