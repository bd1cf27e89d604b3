/// The processes that train together, of which each computes some groups of every batch.
///
/// Every function is called by all ranks, in the same order. One process is the case of one rank.
public protocol Ranks: Sendable {
  /// The number of this rank; rank 0 writes the files.
  var index: Int { get }
  /// How many there are.
  var count: Int { get }
  /// The sum over what all ranks have, the same bits on each of them.
  func sum(_ mine: GradientSum) throws -> GradientSum
  /// What all ranks have, on rank 0, for saving; each of the others keeps its own.
  func gather(_ mine: GradientSum) throws -> GradientSum
  /// Whether any rank says so.
  func agree(_ mine: Bool) throws -> Bool
  /// What rank 0 has.
  func broadcast(_ bytes: [UInt8]) throws -> [UInt8]
}

/// A process by itself.
public struct OneRank: Ranks {
  /// Nothing to set.
  public init() {}

  /// 0.
  public var index: Int { 0 }
  /// 1.
  public var count: Int { 1 }
  /// The same.
  public func sum(_ mine: GradientSum) -> GradientSum { mine }
  /// The same.
  public func gather(_ mine: GradientSum) -> GradientSum { mine }
  /// The same.
  public func agree(_ mine: Bool) -> Bool { mine }
  /// The same.
  public func broadcast(_ bytes: [UInt8]) -> [UInt8] { bytes }
}
