import Compute
import HDF5
import TestSupport
import Testing

@Suite("PyTorch's random numbers on a CPU")
struct TorchCPUGeneratorTests {
  static let seeds: [UInt64] = [0, 1, 2, 12345]
  static let shapes = ["5", "15", "16", "17", "1x8x8", "3x5x7", "3x8x8", "3x32x32"]

  private func group(_ seed: UInt64) throws -> HDF5Group {
    try HDF5File.open(Fixtures.path("golden/rng/torch_cpu.h5")).root.group("seed_\(seed)")
  }

  @Test("The words are MT19937's", arguments: seeds)
  func words(seed: UInt64) throws {
    var generator = TorchCPUGenerator(seed: seed)
    let expected = try group(seed).dataset("first_16_raw_uint32").read(Int64.self)
    #expect((0..<16).map { _ in Int64(generator.word()) } == expected)
  }

  @Test("Draws made one after another from one generator", arguments: seeds, shapes)
  func sequence(seed: UInt64, shape: String) throws {
    let recorded = try group(seed).group("randn_\(shape)")
    var generator = TorchCPUGenerator(seed: seed)
    func largestDifference(_ name: String, _ values: [Float]) throws -> Float {
      let expected = try recorded.dataset(name).read(Float.self)
      #expect(expected.count == values.count)
      return zip(values, expected).map { abs($0 - $1) }.max() ?? 0
    }
    let count = shape.split(separator: "x").compactMap { Int($0) }.reduce(1, *)
    #expect(try largestDifference("0_randn", generator.normals(count)) <= 5e-6)
    #expect(try recorded.dataset("1_randint_10").read(Int64.self) == generator.integers(1, below: 10).map(Int64.init))
    #expect(try largestDifference("2_randn_5", generator.normals(5)) <= 5e-6)
    #expect(try recorded.dataset("3_rand_4").read(Float.self) == generator.uniforms(4))
    #expect(
      try recorded.dataset("4_randint_1000").read(Int64.self) == generator.integers(3, below: 1000).map(Int64.init))
  }

  @Test("Only the low 32 bits of a seed count")
  func wideSeed() {
    var narrow = TorchCPUGenerator(seed: 7)
    var wide = TorchCPUGenerator(seed: 7 + 1 << 32)
    #expect(narrow.normals(20) == wide.normals(20))
  }
}
