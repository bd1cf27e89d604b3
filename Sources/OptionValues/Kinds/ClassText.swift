/// Which class an image gets, as an option says it.
public enum ClassText: Sendable, Equatable {
  /// Drawn from the image's own seed.
  case random
  /// The seed modulo the number of classes.
  case balanced
  /// The same for every image.
  case fixed(Int)
  /// The one whose place in the list is the seed modulo the list's length.
  case list([Int])

  /// The most classes of a list.
  private static let longest = 1 << 20
  /// The largest number of a class.
  private static let largest = 1 << 31 - 1

  /// Reads "random", "balanced", a class number, or a list such as "0,3,5-7" or "0*20,1*3" of at most 2^20 classes below 2^31.
  public init?(_ text: String) {
    switch text {
    case "random": self = .random
    case "balanced": self = .balanced
    default:
      if let number = Int(text), number >= 0 {
        self = .fixed(number)
      } else if let list = Self.list(text) {
        self = .list(list)
      } else {
        return nil
      }
    }
  }

  private static func list(_ text: String) -> [Int]? {
    var list: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let factors = part.split(separator: "*", omittingEmptySubsequences: false)
      if factors.count == 2 {
        guard let number = whole(factors[0], to: largest), let times = whole(factors[1], to: longest), times > 0
        else {
          return nil
        }
        list += Array(repeating: number, count: times)
      } else {
        guard let range = try? SeedList(String(part)), range.count <= longest, range.largest <= largest else {
          return nil
        }
        list += range[0..<range.count].map { Int($0) }
      }
      guard list.count <= longest else { return nil }
    }
    return list
  }

  private static func whole(_ text: Substring, to largest: Int) -> Int? {
    guard text.allSatisfy({ ("0"..."9").contains($0) }), let number = Int(text), number <= largest else { return nil }
    return number
  }
}
