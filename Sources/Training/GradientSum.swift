import Compute

/// The gradients of a batch while they are summed, in an order that knows nothing of ranks.
///
/// Within a group of micro-batches gradients are added in order; the groups meet in a binary tree over their numbers, whose
/// nodes are the ranges [i 2^l, (i + 1) 2^l) of groups. What is held are sums of whole nodes and of the group at hand, so
/// the result has the same bits however the groups are shared out among ranks. One process holds one sum for the group at
/// hand and at most one for each level.
public struct GradientSum: Sendable {
  /// The sum over some neighbouring micro-batches: those of a node, or the first ones of a group.
  package struct Part: Sendable {
    /// Which micro-batches.
    package var microbatches: Range<Int>
    /// Gradients in the order of the parameters; nil where none flowed.
    package var gradients: [Tensor?]
    /// The objective.
    package var objective: Double
    /// Images that were numbers; the others are left out of the objective.
    package var countedImages: Int
    /// What else is added up.
    package var sums: [Double]

    package init(
      microbatches: Range<Int>, gradients: [Tensor?], objective: Double, countedImages: Int, sums: [Double] = []
    ) {
      (self.microbatches, self.gradients) = (microbatches, gradients)
      (self.objective, self.countedImages, self.sums) = (objective, countedImages, sums)
    }

    /// The same with other gradients.
    func with(gradients: [Tensor?]) -> Part {
      Part(
        microbatches: microbatches, gradients: gradients, objective: objective, countedImages: countedImages, sums: sums
      )
    }

    /// Adds the sum over the micro-batches behind these.
    fileprivate mutating func add(_ other: consuming Part) {
      precondition(microbatches.upperBound == other.microbatches.lowerBound, "sums that are no neighbours")
      microbatches = microbatches.lowerBound..<other.microbatches.upperBound
      objective += other.objective
      countedImages += other.countedImages
      // States of versions that added up nothing else have none.
      if sums.count == other.sums.count { for index in sums.indices { sums[index] += other.sums[index] } }
      for index in gradients.indices {
        // Out of its place, so that the sum has one owner and is updated there.
        guard let addend = other.gradients[index].take() else { continue }
        if gradients[index] == nil { gradients[index] = addend } else { gradients[index]?.add(addend) }
      }
    }
  }

  /// How the batch is cut.
  public let cut: MicroBatches
  /// In the order of their micro-batches; no two overlap.
  package private(set) var parts: [Part] = []

  /// An empty sum.
  public init(_ cut: MicroBatches) { self.cut = cut }

  /// A sum of parts that are known to be those of the cut.
  init(_ cut: MicroBatches, unchecked parts: [Part]) { (self.cut, self.parts) = (cut, parts) }

  /// What several ranks have summed of one batch, of which no two have the same.
  public init(joining sums: [GradientSum]) {
    precondition(!sums.isEmpty && sums.allSatisfy { $0.cut == sums[0].cut }, "sums of different batches")
    cut = sums[0].cut
    parts = sums.flatMap(\.parts).sorted { $0.microbatches.lowerBound < $1.microbatches.lowerBound }
    settle()
  }

  /// A sum that has parts already; nil where they are none of this cut.
  package init?(_ cut: MicroBatches, parts: [Part]) {
    self.cut = cut
    var end = 0
    for part in parts {
      guard part.microbatches.lowerBound >= end, part.microbatches.upperBound <= cut.count, !part.microbatches.isEmpty
      else { return nil }
      end = part.microbatches.upperBound
      let group = cut.group(of: part.microbatches.lowerBound)
      let members = cut.members(group..<group + 1)
      let isWithin = part.microbatches.lowerBound == members.lowerBound && end <= members.upperBound
      guard isWithin || groups(part).map(isNode) == true else { return nil }
    }
    self.parts = parts
    settle()
  }

  /// Whether nothing has been added yet.
  public var isEmpty: Bool { parts.isEmpty }

  /// Images of the micro-batches that are in the sum.
  public var imagesDone: Int {
    parts.reduce(0) { sum, part in
      sum + cut.images(part.microbatches.upperBound - 1).upperBound
        - cut.images(part.microbatches.lowerBound).lowerBound
    }
  }

  /// The sum over the whole batch, once every micro-batch is in it.
  package var whole: Part? {
    guard parts.count == 1, parts[0].microbatches == 0..<cut.count else { return nil }
    return parts[0]
  }

  /// Those of some micro-batches that are not in the sum, in order.
  package func missing(_ wanted: Range<Int>) -> [Int] {
    wanted.filter { index in !parts.contains { $0.microbatches.contains(index) } }
  }

  /// Adds one micro-batch; those of its group before it must be there.
  package mutating func add(
    _ microbatch: Int, gradients: [Tensor?], objective: Double, countedImages: Int, sums: [Double] = []
  ) {
    let part = Part(
      microbatches: microbatch..<microbatch + 1, gradients: gradients, objective: objective,
      countedImages: countedImages, sums: sums)
    let group = cut.group(of: microbatch)
    if cut.members(group..<group + 1).lowerBound == microbatch {
      let place = parts.firstIndex { $0.microbatches.lowerBound > microbatch } ?? parts.endIndex
      parts.insert(part, at: place)
    } else if let index = parts.firstIndex(where: { $0.microbatches.upperBound == microbatch }) {
      parts[index].add(part)
    } else {
      preconditionFailure("micro-batch \(microbatch) before the others of its group")
    }
    settle()
  }

  /// Keeps the parts that begin within some micro-batches and gives the others up.
  package mutating func keep(_ wanted: Range<Int>) { parts.removeAll { !wanted.contains($0.microbatches.lowerBound) } }

  /// Adds every right child that is complete to its left sibling, if that is complete, too.
  private mutating func settle() {
    var index = 0
    while index + 1 < parts.count {
      guard let left = groups(parts[index]), let right = groups(parts[index + 1]), areSiblings(left, right) else {
        index += 1
        continue
      }
      let other = parts.remove(at: index + 1)
      parts[index].add(other)
      // The pair may be somebody's right sibling now.
      index = max(index - 1, 0)
    }
  }

  /// The groups of a part; nil where its last group is not complete.
  private func groups(_ part: Part) -> Range<Int>? {
    let range = cut.group(of: part.microbatches.lowerBound)..<cut.group(of: part.microbatches.upperBound - 1) + 1
    return cut.members(range) == part.microbatches ? range : nil
  }

  /// Whether some groups are a node of the tree: 2^l from a multiple of 2^l on, or what there is of them.
  private func isNode(_ range: Range<Int>) -> Bool {
    var size = 1
    while size < range.count { size *= 2 }
    return range.lowerBound % size == 0 && range.upperBound == min(range.lowerBound + size, cut.groups)
  }

  /// Whether two neighbouring ranges of groups are the children of a node. A left child is always full.
  private func areSiblings(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
    let size = left.count
    return size.nonzeroBitCount == 1 && left.lowerBound % (2 * size) == 0 && left.upperBound == right.lowerBound
      && right.upperBound == min(left.lowerBound + 2 * size, cut.groups)
  }
}
