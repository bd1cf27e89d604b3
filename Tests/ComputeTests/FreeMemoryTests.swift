import Compute
import Testing

@Suite("Memory that lies idle")
struct FreeMemoryTests {
  @Test("Neighbours become one block, whichever comes first")
  func neighbours() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
      var free = FreeMemory()
      for place in order { free.give(UInt(1000 + 100 * place), 100) }
      #expect(free.blocks == [1000..<1300] && free.bytes == 300)
      #expect(free.bytes(at: 1000) == 300 && free.bytes(at: 1100) == 0)
    }
  }

  @Test("A buffer comes from the smallest block that holds it, the lowest of equal ones")
  func smallest() {
    var free = FreeMemory()
    for (address, size) in [(0, 500), (1000, 200), (2000, 300), (3000, 200)] { free.give(UInt(address), size) }
    #expect(free.take(200) == 1000)
    #expect(free.take(150) == 3000)
    #expect(free.take(250) == 2000)
    #expect(free.take(501) == nil)
    #expect(free.blocks == [0..<500, 2250..<2300, 3150..<3200] && free.bytes == 600)
  }

  @Test("What goes back to the system are whole pages, of the largest blocks and no more than wanted")
  func pages() {
    var free = FreeMemory()
    free.give(950, 500)
    free.give(2000, 250)
    free.give(3010, 150)
    #expect(free.remove(bytes: 0, pages: 100).isEmpty)
    #expect(free.remove(bytes: 101, pages: 100) == [1200..<1400])
    #expect(free.blocks == [950..<1200, 1400..<1450, 2000..<2250, 3010..<3160])
    let rest = free.remove(bytes: 10_000, pages: 100)
    #expect(Set(rest) == [1000..<1200, 2000..<2200])
    #expect(free.bytes == free.blocks.reduce(0) { $0 + $1.count })
  }

  @Test("After thousands of takings and givings everything is there, once")
  func random() {
    var (free, out) = (FreeMemory(), [Range<UInt>]())
    var generator = SystemRandomNumberGenerator()
    let all = 1 << 20
    free.give(UInt(all), all)
    for _ in 0..<20_000 {
      if Bool.random(using: &generator), let size = (1...5000).randomElement(using: &generator) {
        guard let address = free.take(size) else { continue }
        out.append(address..<address + UInt(size))
      } else if let index = out.indices.randomElement(using: &generator) {
        out.swapAt(index, out.count - 1)
        let range = out.removeLast()
        free.give(range.lowerBound, range.count)
      }
    }
    let pieces = (free.blocks + out).sorted { $0.lowerBound < $1.lowerBound }
    #expect(pieces.first?.lowerBound == UInt(all) && pieces.last?.upperBound == UInt(2 * all))
    #expect(zip(pieces, pieces.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    #expect(zip(free.blocks, free.blocks.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
    #expect(free.bytes == free.blocks.reduce(0) { $0 + $1.count })
    for range in out { free.give(range.lowerBound, range.count) }
    #expect(free.blocks == [UInt(all)..<UInt(2 * all)])
  }
}
