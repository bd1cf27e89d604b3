/// One machine's share of work that several do, written `i/n`.
public struct WorkShare: Sendable, Hashable, CustomStringConvertible {
  /// Which share, from 1 to `count`.
  public let index: Int
  /// The number of shares.
  public let count: Int

  /// Reads `i/n`; nil where it is something else, i is not from 1 to n, or n is above 2^20.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], count >= 1, count <= 1 << 20,
      (1...count).contains(index)
    else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// The share with this number, from 1 to `count`.
  package init(_ index: Int, of count: Int) {
    precondition((1...max(1, count)).contains(index) && count <= 1 << 20, "share \(index) of \(count)")
    (self.index, self.count) = (index, count)
  }

  /// `i/n`.
  public var description: String { "\(index)/\(count)" }
}
