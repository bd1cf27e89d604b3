import Compute
import HDF5
import TestSupport
import Testing

@Suite("PyTorch's random numbers on a GPU")
struct TorchCUDAGeneratorTests {
  private var recorded: HDF5Group {
    get throws { try HDF5File.open(Fixtures.path("golden/rng/philox_cuda.h5")).root }
  }

  private func largestDifference(_ values: [Float], _ expected: [Float]) -> Float {
    values.count == expected.count ? zip(values, expected).map { abs($0 - $1) }.max() ?? 0 : .infinity
  }

  @Test("The public check values of seed 0, exact to 1e-6")
  func published() throws {
    var generator = TorchCUDAGenerator(seed: 0)
    let expected = try recorded.dataset("verified_public/seed0_randn8").read(Float.self)
    #expect(largestDifference(generator.normals(8), expected) <= 1e-6)
  }

  @Test("The published known-answer vectors of Philox4x32-10")
  func knownAnswers() throws {
    let group = try recorded.group("verified_public")
    let counters = try group.dataset("random123_counters").read(Int64.self).map { UInt32($0) }
    let keys = try group.dataset("random123_keys").read(Int64.self).map { UInt64($0) }
    let outputs = try group.dataset("random123_outputs").read(Int64.self).map { UInt32($0) }
    for row in 0..<3 {
      let counter = SIMD4<UInt32>(counters[4 * row..<4 * row + 4])
      let words = Philox(seed: keys[2 * row] | keys[2 * row + 1] << 32)(counter)
      #expect((0..<4).map { words[$0] } == Array(outputs[4 * row..<4 * row + 4]))
    }
  }

  @Test("An image's latents, the next call, and the class after the latents", arguments: [0, 1, 12345])
  func sequence(seed: UInt64) throws {
    let group = try recorded.group("derived/seed_\(seed)")
    var generator = TorchCUDAGenerator(seed: seed)
    let image = try group.dataset("randn_3x32x32").read(Float.self)
    #expect(largestDifference(generator.normals(3072), image) <= 1e-6)
    var classes = generator
    let second = try group.dataset("randn_8_as_second_call").read(Float.self)
    #expect(largestDifference(generator.normals(8), second) <= 1e-6)
    let drawn = try group.dataset("class_index_randint10_after_one_randn_call").read(Int64.self)
    #expect([Int64(classes.integer(below: 10))] == drawn)
  }

  @Test("Normals in double precision on a CPU, as torch 2.13 draws them after an image and a class")
  func doubleNormals() {
    var generator = TorchCPUGenerator(seed: 5)
    _ = generator.normals(48)
    _ = generator.integers(1, below: 10)
    let values = generator.doubleNormals(18)
    let expected = [
      0.34562286721238888, 0.65379187116446114, -0.25059292062447647, 1.55653496912970435, 0.17947971122257472,
      0.60050185975241710, -0.39139807097783308, -0.00989331383227403, 0.89975606523299234, 0.62782990669105732,
      0.43799826936550490, -0.71740152366402021, 1.07404257527702907, -0.51695524211357891, 0.28312143356502051,
      0.00634288950072255, -0.61393546733569537, -1.24750886316082221,
    ]
    for (value, expected) in zip(values, expected) { #expect(abs(value - expected) <= 1e-14) }
  }
}
