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

  /// Reads "random", "balanced", a class number, or a list such as "0,3,5-7" of at most 2^20 classes below 2^31.
  public init?(_ text: String) {
    switch text {
    case "random": self = .random
    case "balanced": self = .balanced
    default:
      if let number = Int(text), number >= 0 {
        self = .fixed(number)
      } else if let list = try? SeedList(text), list.count <= 1 << 20, list.largest < 1 << 31 {
        self = .list(list[0..<list.count].map { Int($0) })
      } else {
        return nil
      }
    }
  }
}
