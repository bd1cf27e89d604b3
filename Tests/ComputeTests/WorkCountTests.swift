import Autograd
import Compute
import Testing

/// Work that is counted instead of done.
@Suite("The count of work")
struct WorkCountTests {
  private func layers(_ threads: Int, _ body: () -> Void) -> [CountedLayer] {
    WorkCount.layers(threads: threads, body)
  }

  @Test("A product counts two operations for each multiply-add, and the floats around it", arguments: [1, 2, 32])
  func product(threads: Int) throws {
    let (rows, inputs, outputs) = (96, 64, 64)
    let x = Tensor(shape: [rows, inputs])
    let weight = Tensor(shape: [inputs, outputs])
    let counted = layers(threads) { _ = linear(x, weight: weight) }
    let layer = try #require(counted.first)
    #expect(counted.count == 1 && layer.kind == .linear)
    // The weights are read and written in panels, and the products are read and written at the end.
    let floats = 2 * inputs * outputs + 2 * rows * outputs
    #expect(layer.work == Double(2 * rows * inputs * outputs) + WorkCount.flopsOfFloat * Double(floats))
    #expect(threads > 1 || layer.time == layer.work)
    #expect(threads == 1 || layer.time < layer.work && layer.time >= layer.work / Double(threads))
  }

  @Test("Elementwise operations count what they read and write, whatever the cut")
  func elementwise() throws {
    let x = Tensor(shape: [100_000])
    for threads in [1, 2, 8, 32, 64] {
      let layer = try #require(layers(threads) { _ = addScaled(x, x) }.first)
      #expect(layer.work == WorkCount.flopsOfFloat * 300_000)
      #expect(layer.smallestTask > 0 && layer.tasks >= min(threads, 32))
      let shares = CountedLayer.serialShare(work: layer.work, time: layer.time, threads: threads)
      #expect(shares < 0.02, "\(threads) threads: \(shares)")
    }
  }

  @Test("Tasks go in their order to the thread that is free first, and what is in none counts as serial")
  func schedule() throws {
    let n = 1 << 12
    // Ten tasks of one unit and one of four at the end.
    let unit = WorkCount.flopsOfFloat * Double(n)
    func work(_ threads: Int) -> [CountedLayer] {
      layers(threads) {
        let counted = WorkCount.begin(.other)
        WorkCount.note(floats: 2 * n)
        Threads.forEach(11) { task in
          WorkCount.note(floats: task == 10 ? 4 * n : n)
          // Inside of a task nothing is shared out.
          Threads.forEach(3) { _ in WorkCount.note(floats: 0) }
        }
        counted?.end()
      }
    }
    let times: [(threads: Int, time: Double)] = [(1, 16), (2, 11), (4, 8), (5, 8), (11, 6), (64, 6)]
    for (threads, time) in times {
      let layer = try #require(work(threads).first)
      #expect(layer.work == 16 * unit && layer.tasks == 11 && layer.smallestTask == unit)
      #expect(layer.time == time * unit, "\(threads) threads")
    }
    #expect(CountedLayer.serialShare(work: 16, time: 16, threads: 8) == 1)
    #expect(CountedLayer.serialShare(work: 16, time: 2, threads: 8) == 0)
  }

  @Test("Nothing is computed, everything that is made holds zeros, and afterwards numbers are computed again")
  func computesNothing() {
    let x = randomTensor([2, 8, 8, 16], 1)
    let weight = randomTensor([3, 3, 16, 16], 2)
    let before = convolution(x, weight: weight).values
    var inside: [Float] = []
    let counted = layers(2) { inside = convolution(x, weight: randomTensor([3, 3, 16, 16], 2)).values }
    #expect(counted.contains { $0.kind == .convolution && $0.work > 0 })
    #expect(inside.allSatisfy { $0 == 0 })
    #expect(convolution(x, weight: weight).values == before)
  }

  @Test("A count knows the threads that it is asked about, and other threads' work is not in it")
  func isolation() async {
    let counted = layers(48) { #expect(Threads.count == 48) }
    #expect(counted.isEmpty)
    async let other = Task.detached {
      convolution(randomTensor([1, 8, 8, 8], 3), weight: randomTensor([3, 3, 8, 8], 4))
    }
    .value
    let mine = layers(2) { _ = silu(Tensor(shape: [4096])) }
    #expect(await other.values.contains { $0 != 0 })
    #expect(mine.filter { $0.kind == .elementwise }.count == 1 && !mine.contains { $0.kind == .convolution })
  }

  @Test("Forward and backward of a convolution are counted by direction")
  func directions() {
    let counted = layers(8) {
      let tape = Tape()
      let weight = tape.variable(Tensor(shape: [3, 3, 32, 32]))
      let bias = tape.variable(Tensor(shape: [32]))
      let x = tape.variable(Tensor(shape: [4, 16, 16, 32]))
      let y = Autograd.convolution(x, weight: weight, bias: bias)
      tape.backward(from: y, gradient: Tensor(shape: y.shape))
    }
    #expect(
      counted.map(\.kind).filter { $0 != .other } == [
        .convolution, .biasGradient, .convolutionInputGradient, .convolutionWeightGradient,
      ])
  }
}
