/// Which memory lies idle: addresses alone, nothing is touched.
///
/// Neighbours become one block, and a buffer comes from the smallest block that holds it, whatever sizes were there before:
/// the passes of a training differ in their sizes, but not in how much they need.
package struct FreeMemory: Sendable {
  /// In the order of their addresses; no two touch each other.
  package private(set) var blocks: [Range<UInt>] = []
  /// All of them together.
  package private(set) var bytes = 0

  /// No memory.
  package init() {}

  /// Takes memory out of the smallest block that holds it, the lowest of equal ones, at its lower end.
  /// - Returns: its address; nil where no block holds it.
  package mutating func take(_ size: Int) -> UInt? {
    var found: Int?
    for index in blocks.indices where blocks[index].count >= size {
      if let best = found, blocks[best].count <= blocks[index].count { continue }
      found = index
      if blocks[index].count == size { break }
    }
    guard let index = found else { return nil }
    let block = blocks[index]
    if block.count == size {
      blocks.remove(at: index)
    } else {
      blocks[index] = block.lowerBound + UInt(size)..<block.upperBound
    }
    bytes -= size
    return block.lowerBound
  }

  /// Adds memory, which becomes one with its neighbours.
  package mutating func give(_ address: UInt, _ size: Int) {
    let range = address..<address + UInt(size)
    let next = place(of: address)
    let touchesNext = next < blocks.count && blocks[next].lowerBound == range.upperBound
    let touchesLast = next > 0 && blocks[next - 1].upperBound == range.lowerBound
    precondition(
      (next == blocks.count || blocks[next].lowerBound >= range.upperBound)
        && (next == 0 || blocks[next - 1].upperBound <= range.lowerBound), "memory that is given back twice")
    switch (touchesLast, touchesNext) {
    case (true, true):
      blocks[next - 1] = blocks[next - 1].lowerBound..<blocks[next].upperBound
      blocks.remove(at: next)
    case (true, false): blocks[next - 1] = blocks[next - 1].lowerBound..<range.upperBound
    case (false, true): blocks[next] = range.lowerBound..<blocks[next].upperBound
    case (false, false): blocks.insert(range, at: next)
    }
    bytes += size
  }

  /// Bytes that lie idle from an address on.
  package func bytes(at address: UInt) -> Int {
    let index = place(of: address)
    return index < blocks.count && blocks[index].lowerBound == address ? blocks[index].count : 0
  }

  /// Removes memory in whole pages, from the largest blocks first, until so many bytes are gone or no page is left.
  package mutating func remove(bytes wanted: Int, pages: Int) -> [Range<UInt>] {
    var (removed, left) = ([Range<UInt>](), wanted)
    let page = UInt(pages)
    func inside(_ block: Range<UInt>) -> Range<UInt> {
      let (start, end) = ((block.lowerBound + page - 1) / page * page, block.upperBound / page * page)
      return start..<max(start, end)
    }
    while left > 0, let index = blocks.indices.max(by: { inside(blocks[$0]).count < inside(blocks[$1]).count }) {
      let (block, all) = (blocks[index], inside(blocks[index]))
      guard !all.isEmpty else { break }
      // The upper end: buffers are taken from the lower one.
      let whole = all.upperBound - min(UInt(all.count), (UInt(left) + page - 1) / page * page)..<all.upperBound
      blocks.replaceSubrange(
        index...index,
        with: [block.lowerBound..<whole.lowerBound, whole.upperBound..<block.upperBound].filter { !$0.isEmpty })
      bytes -= whole.count
      left -= whole.count
      removed.append(whole)
    }
    return removed
  }

  /// The first block that does not begin before an address.
  private func place(of address: UInt) -> Int {
    var (low, high) = (0, blocks.count)
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].lowerBound < address { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
