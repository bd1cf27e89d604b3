import Diagnostics
import Files

/// A text file of class numbers, one a line, in the order of the images.
///
/// It is checked once as a whole; what is kept of it are the places of every 4096th line.
public final class LabelsFile: Sendable, Equatable {
  /// The file.
  public let path: String
  /// How many classes it lists.
  public let count: Int
  /// The largest class.
  public let largest: Int
  private let places: [Int]
  private let size: Int
  private static let stride = 4096

  /// Reads the file once.
  /// - Throws: a `Failure`: `noInput` where it cannot be read, `dataError` naming the line that is no class number.
  public init(_ path: String) throws {
    self.path = path
    var scanner = LineScanner()
    var places = [0]
    var largest = 0
    var count = 0
    size = try Self.forEachBlock(path, from: 0) { block in
      try scanner.scan(block, path: path) { label, end in
        largest = max(largest, label)
        count += 1
        if count % Self.stride == 0 { places.append(end) }
        return true
      }
    }
    try scanner.finish(path: path) { label in
      largest = max(largest, label)
      count += 1
    }
    self.places = places
    self.largest = largest
    self.count = count
  }

  /// The classes of some images.
  /// - Throws: a `Failure` where the file changed since it was opened.
  public func labels(_ images: Range<Int>) throws -> [Int] {
    precondition(images.lowerBound >= 0 && images.upperBound <= count, "labels \(images) of \(count)")
    if images.isEmpty { return [] }
    let group = images.lowerBound / Self.stride
    var scanner = LineScanner(line: group * Self.stride, place: places[group])
    var line = group * Self.stride
    var labels: [Int] = []
    func take(_ label: Int) -> Bool {
      if images.contains(line) { labels.append(label) }
      line += 1
      return line < images.upperBound
    }
    try Self.forEachBlock(path, from: places[group]) { block in
      try scanner.scan(block, path: path) { label, _ in take(label) }
    }
    if line < images.upperBound { try scanner.finish(path: path) { _ = take($0) } }
    guard labels.count == images.count else {
      throw Failure(.dataError, path, "it has become shorter", remedy: "do not change files that are being read")
    }
    return labels
  }

  /// Two are the same if they are the same file.
  public static func == (left: LabelsFile, right: LabelsFile) -> Bool { left.path == right.path }

  /// Calls `body` with the file's blocks until it returns false. Returns how many bytes were read.
  @discardableResult
  private static func forEachBlock(_ path: String, from start: Int, _ body: (ArraySlice<UInt8>) throws -> Bool) throws
    -> Int
  {
    let file = try InputFile(path, expected: "a text file of class numbers")
    var place = start
    while true {
      try Interruption.check()
      let block = try file.bytes(from: place, count: 1 << 16)
      place += block.count
      if try block.isEmpty || !body(block[...]) { return place }
    }
  }
}

/// Splits bytes into lines of one number each.
private struct LineScanner {
  var line = 0
  var place = 0
  private var value: Int?

  /// What some editors put before UTF-8.
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  init(line: Int = 0, place: Int = 0) { (self.line, self.place) = (line, place) }

  /// - Parameter body: is told a number and where the next line begins; false ends the scan.
  /// - Returns: whether it may go on.
  mutating func scan(_ block: ArraySlice<UInt8>, path: String, _ body: (Int, Int) throws -> Bool) throws -> Bool {
    for byte in block {
      place += 1
      switch byte {
      case _ where place <= Self.byteOrderMark.count && value == nil && byte == Self.byteOrderMark[place - 1]: break
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        value = (value ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
        if value ?? 0 >= 1 << 31 { throw refuse(path) }
      case UInt8(ascii: "\n"):
        guard let found = value else { throw refuse(path) }
        value = nil
        line += 1
        if try !body(found, place) { return false }
      case UInt8(ascii: "\r"): break
      default: throw refuse(path)
      }
    }
    return true
  }

  /// A last line need not end.
  mutating func finish(path: String, _ body: (Int) -> Void) throws {
    if let value { body(value) }
    value = nil
  }

  private func refuse(_ path: String) -> Failure {
    if line == 0, let guess = FileGuess(ofFile: path), guess.kind != "text" {
      return FileGuess.refuse(path, expected: "a text file of class numbers")
    }
    return Failure(
      .dataError, path, "line \(line + 1) is no class number",
      remedy: "write one class a line, in the order of the images")
  }
}
