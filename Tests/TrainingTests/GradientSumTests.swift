import Compute
import Diagnostics
import TestSupport
import Testing
import Training

@Suite("The sum of gradients knows no ranks")
struct GradientSumTests {
  static let cuts = [
    (1, 1, 16), (7, 2, 16), (10, 1, 3), (16, 1, 16), (21, 1, 5), (40, 1, 16), (53, 3, 7), (64, 4, 1), (100, 1, 11),
  ].map { MicroBatches(batch: $0.0, microbatch: $0.1, maximumGroups: $0.2) }

  /// A gradient whose sums depend on their order in every bit.
  static func gradient(_ microbatch: Int) -> [Tensor?] {
    let values = (0..<5).map { i in Float(microbatch * 7 + i + 1).squareRoot() * (i % 2 == 0 ? 1 : -1e3) }
    // The last parameter has a gradient in some micro-batches alone.
    return [Tensor(values, shape: [5]), nil, microbatch % 3 == 1 ? Tensor(values, shape: [5]) : nil]
  }

  static func add(_ microbatches: Range<Int>, to sum: inout GradientSum) {
    for k in microbatches { sum.add(k, gradients: gradient(k), objective: 1 / Double(k + 3), countedImages: 1) }
  }

  static func bits(_ part: GradientSum.Part?) throws -> [[UInt32]?] {
    try #require(part).gradients.map { $0?.values.map(\.bitPattern) }
  }

  /// The definition, by recursion over the tree.
  static func tree(_ cut: MicroBatches, _ groups: Range<Int>, _ size: Int) -> [Float] {
    if size == 1 {
      return cut.members(groups).map { gradient($0)[0]?.values ?? [] }.reduce(nil) { sum, g in
        sum.map { zip($0, g).map(+) } ?? g
      } ?? []
    }
    let middle = groups.lowerBound + size / 2
    let left = tree(cut, groups.lowerBound..<min(middle, groups.upperBound), size / 2)
    if middle >= groups.upperBound { return left }
    return zip(left, tree(cut, middle..<groups.upperBound, size / 2)).map(+)
  }

  @Test("Groups are whole, in order, and as even as can be", arguments: cuts)
  func groups(cut: MicroBatches) {
    #expect(cut.members(0..<cut.groups) == 0..<cut.count)
    #expect((0..<cut.count).reduce(0) { $0 + cut.images($1).count } == cut.batch)
    let sizes = (0..<cut.groups).map { cut.members($0..<$0 + 1).count }
    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1 && (sizes.min() ?? 0) > 0)
    for group in 0..<cut.groups { #expect(cut.members(group..<group + 1).allSatisfy { cut.group(of: $0) == group }) }
    for ranks in 1...cut.groups {
      #expect((0..<ranks).flatMap { Array(cut.groups(ofRank: $0, of: ranks)) } == Array(0..<cut.groups))
      #expect((0..<ranks).allSatisfy { !cut.groups(ofRank: $0, of: ranks).isEmpty })
    }
  }

  @Test("One rank sums along the tree of the definition", arguments: cuts)
  func definition(cut: MicroBatches) throws {
    var sum = GradientSum(cut)
    var held = 0
    for k in 0..<cut.count {
      held = max(held, sum.parts.count)
      #expect(sum.imagesDone == cut.images(k).lowerBound)
      Self.add(k..<k + 1, to: &sum)
    }
    var size = 1
    while size < cut.groups { size *= 2 }
    let whole = try #require(sum.whole)
    #expect(whole.gradients[0]?.values == Self.tree(cut, 0..<cut.groups, size))
    #expect(whole.gradients[1] == nil && whole.countedImages == cut.count)
    #expect(held == cut.heldSums())
    #expect(held <= 1 + (cut.groups.bitWidth - cut.groups.leadingZeroBitCount))
  }

  @Test("A rank holds as many sums as are foreseen", arguments: cuts)
  func heldByRanks(cut: MicroBatches) {
    for ranks in 1...cut.groups {
      var held = 0
      for rank in 0..<ranks {
        var sum = GradientSum(cut)
        for k in cut.members(cut.groups(ofRank: rank, of: ranks)) {
          held = max(held, sum.parts.count)
          Self.add(k..<k + 1, to: &sum)
        }
      }
      #expect(held == cut.heldSums(ranks: ranks), "\(ranks) ranks")
    }
  }

  @Test("What fails on one rank fails on all, and is told once")
  func together() throws {
    let outcomes = try RankTeam.run(4) { ranks -> [String] in
      func outcome(_ work: () throws -> Int) -> String {
        do { return "\(try ranks.together(work))" } catch let failure as Failure {
          return "\(failure.status) \(failure) \(failure.isTold ? "told" : "tells")"
        } catch { return "\(error)" }
      }
      return [
        outcome { ranks.index },
        outcome {
          if ranks.index == 2 { throw Failure(.ioError, "file", "is broken") }
          return ranks.index
        },
        outcome { throw Failure(.noInput, "file", ranks.index == 3 ? "is not here" : "is gone") },
        outcome {
          if ranks.isFirst { throw Interrupted() }
          return ranks.index
        },
      ]
    }
    #expect(outcomes.map { $0[0] } == ["0", "1", "2", "3"])
    for rank in [0, 1, 3] { #expect(outcomes[rank][1] == "temporaryFailure rank 2: ended: file: is broken told") }
    #expect(outcomes[2][1] == "ioError file: is broken tells")
    #expect(outcomes[0][2] == "noInput file: is gone tells" && outcomes[1][2] == "noInput file: is gone told")
    #expect(outcomes[3][2] == "noInput file: is not here tells")
    #expect(Set(outcomes.map { $0[3] }) == ["\(Interrupted())"])
  }

  @Test("Numbers meet on rank 0")
  func collected() throws {
    let all = try RankTeam.run(3) { try $0.collect(Array(repeating: Float($0.index), count: $0.index)) }
    #expect(all == [[[], [1], [2, 2]], [], []])
  }

  @Test("Any number of ranks gives the same bits, in whatever order their sums come", arguments: cuts)
  func ranks(cut: MicroBatches) throws {
    var one = GradientSum(cut)
    Self.add(0..<cut.count, to: &one)
    let expected = try Self.bits(one.whole)
    for ranks in 1...cut.groups {
      let sums = (0..<ranks).map { rank in
        var sum = GradientSum(cut)
        Self.add(cut.members(cut.groups(ofRank: rank, of: ranks)), to: &sum)
        return sum
      }
      for order in [sums, sums.reversed()] {
        let joined = GradientSum(joining: order)
        #expect(try Self.bits(joined.whole) == expected, "\(ranks) ranks")
        #expect(joined.whole?.objective == one.whole?.objective)
      }
    }
  }

  @Test(
    "Carried by messages they are the same bits on every rank, in buckets of any size", arguments: cuts, [3, 1 << 20])
  func messages(cut: MicroBatches, bucket: Int) throws {
    var one = GradientSum(cut)
    Self.add(0..<cut.count, to: &one)
    let expected = try Self.bits(one.whole)
    for count in 1...min(cut.groups, 6) {
      let sums = try RankTeam.counting(count, bucket: bucket) { ranks in
        var sum = GradientSum(cut)
        Self.add(cut.members(cut.groups(ofRank: ranks.index, of: count)), to: &sum)
        let said = try ranks.broadcast([UInt8(ranks.index), 7])
        #expect(said == [0, 7])
        return (sum: try ranks.sum(sum), gathered: try ranks.gather(sum))
      }.values
      for one in sums { #expect(try Self.bits(one.sum.whole) == expected, "\(count) ranks") }
      #expect(try Self.bits(sums[0].gathered.whole) == expected)
    }
  }

  @Test("Messages and bytes of a sum are those of the formula", arguments: [2, 4, 8, 16])
  func traffic(count: Int) throws {
    let cut = MicroBatches(batch: 32, microbatch: 1, maximumGroups: 16)
    let elements = 1600
    let (sums, traffic) = try RankTeam.counting(count) { ranks -> [Float] in
      var sum = GradientSum(cut)
      for k in cut.members(cut.groups(ofRank: ranks.index, of: count)) {
        sum.add(k, gradients: [Tensor(shape: [elements], repeating: 1)], objective: 1, countedImages: 1)
      }
      return try ranks.sum(sum).whole?.gradients[0]?.values ?? []
    }
    #expect(sums == Array(repeating: [Float](repeating: 32, count: elements), count: count))
    // What each rank has, to all; slices of it to their ranks; the sums of the slices to all.
    #expect(traffic.messages == 3 * count * (count - 1))
    let description = 4 * 10
    #expect(traffic.bytes == count * (count - 1) * description + 2 * (count - 1) * 4 * elements)
  }

  @Test("A sum that other ranks go on with gives the same bits", arguments: cuts)
  func changedRanks(cut: MicroBatches) throws {
    var one = GradientSum(cut)
    Self.add(0..<cut.count, to: &one)
    let expected = try Self.bits(one.whole)
    for (before, after) in [(1, cut.groups), (cut.groups, 1), (min(3, cut.groups), min(2, cut.groups))] {
      for done in 0...2 {
        let first = GradientSum(
          joining: (0..<before).map { rank in
            var sum = GradientSum(cut)
            Self.add(cut.members(cut.groups(ofRank: rank, of: before)).prefix(done), to: &sum)
            return sum
          })
        // As it is read from a file.
        let saved = try #require(GradientSum(cut, parts: first.parts))
        let sums = (0..<after).map { rank in
          let mine = cut.members(cut.groups(ofRank: rank, of: after))
          let missing = saved.missing(mine)
          var sum = saved
          sum.keep(mine)
          for k in missing { Self.add(k..<k + 1, to: &sum) }
          return sum
        }
        #expect(
          try Self.bits(GradientSum(joining: sums).whole) == expected, "\(before) to \(after) ranks, \(done) done")
      }
    }
  }

  @Test("Parts that are none of a cut are refused")
  func foreignParts() {
    let cut = MicroBatches(batch: 12, microbatch: 1, maximumGroups: 6)
    func part(_ range: Range<Int>) -> GradientSum.Part {
      .init(microbatches: range, gradients: [], objective: 0, countedImages: 0)
    }
    for good in [[0..<2], [0..<1], [0..<4, 4..<5], [0..<8, 8..<12], [2..<3], [8..<12]] {
      #expect(GradientSum(cut, parts: good.map(part)) != nil, "\(good)")
    }
    for bad in [[1..<2], [0..<3], [2..<6], [0..<2, 1..<2], [4..<4], [10..<13], [4..<6, 0..<2], [0..<6]] {
      #expect(GradientSum(cut, parts: bad.map(part)) == nil, "\(bad)")
    }
  }
}

extension Range<Int> {
  fileprivate func prefix(_ count: Int) -> Range<Int> { lowerBound..<Swift.min(lowerBound + count, upperBound) }
}
