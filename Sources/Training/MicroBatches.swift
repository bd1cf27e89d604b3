/// How a batch is cut: into micro-batches, one forward and backward pass each, and those into groups, within which
/// gradients are added in order.
///
/// Nothing here knows ranks or threads: what is added to what depends on these three numbers alone.
public struct MicroBatches: Sendable, Equatable {
  /// Images of an iteration.
  public let batch: Int
  /// Images of a micro-batch; the last one may have fewer.
  public let microbatch: Int
  /// The most groups; a batch of fewer micro-batches has one group for each.
  public let maximumGroups: Int

  /// - Parameters:
  ///   - batch: images of an iteration, at least 1.
  ///   - microbatch: images of a micro-batch, at least 1.
  ///   - maximumGroups: the most groups, at least 1.
  public init(batch: Int, microbatch: Int, maximumGroups: Int) {
    precondition(batch > 0 && microbatch > 0 && maximumGroups > 0, "a batch without images or groups")
    (self.batch, self.microbatch, self.maximumGroups) = (batch, microbatch, maximumGroups)
  }

  /// Micro-batches of a batch.
  public var count: Int { (batch + microbatch - 1) / microbatch }

  /// Groups of a batch, and the most ranks that can share one.
  public var groups: Int { min(maximumGroups, count) }

  /// The images of a micro-batch, counted within the iteration.
  public func images(_ microbatchIndex: Int) -> Range<Int> {
    microbatchIndex * microbatch..<min((microbatchIndex + 1) * microbatch, batch)
  }

  /// The micro-batches of some consecutive groups.
  public func members(_ groups: Range<Int>) -> Range<Int> {
    groups.lowerBound * count / self.groups..<groups.upperBound * count / self.groups
  }

  /// The groups that a rank computes: consecutive ones.
  public func groups(ofRank rank: Int, of ranks: Int) -> Range<Int> {
    rank * groups / ranks..<(rank + 1) * groups / ranks
  }

  /// The most sums of gradients that a rank holds while a micro-batch is computed: one for each complete node, and that of the
  /// group at hand.
  public func heldSums(ranks: Int = 1) -> Int {
    (0..<ranks).flatMap { rank in
      let own = groups(ofRank: rank, of: ranks)
      return own.map { nodes(own.lowerBound..<$0) + (members($0..<$0 + 1).count > 1 ? 1 : 0) }
    }.max() ?? 0
  }

  /// How many nodes of the tree it takes to make up some consecutive groups.
  private func nodes(_ range: Range<Int>) -> Int {
    var (first, count) = (range.lowerBound, 0)
    while first < range.upperBound {
      // The largest node that begins here and ends within.
      var size = 1
      while first % (2 * size) == 0, first + 2 * size <= range.upperBound { size *= 2 }
      first += size
      count += 1
    }
    return count
  }

  /// The group that a micro-batch belongs to.
  package func group(of microbatchIndex: Int) -> Int {
    var group = microbatchIndex * groups / count
    while members(0..<group + 1).upperBound <= microbatchIndex { group += 1 }
    while members(0..<group).upperBound > microbatchIndex { group -= 1 }
    return group
  }
}
