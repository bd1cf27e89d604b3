import Compute
import Testing

@Suite("Philox4x32-10")
struct PhiloxTests {
  @Test("The published known-answer vectors")
  func knownAnswers() {
    #expect(Philox(seed: 0)(SIMD4(repeating: 0)) == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      Philox(seed: .max)(SIMD4(repeating: .max)) == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox(seed: 0x299f_31d0_a409_3822)(SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test("Normals have mean 0 and variance 1, and streams differ")
  func normals() {
    let x = Philox(seed: 3).normals(100_000, stream: (7, 1)).map(Double.init)
    let mean = x.reduce(0, +) / 100_000
    #expect(abs(mean) < 0.015)
    #expect(abs(x.reduce(0) { $0 + $1 * $1 } / 100_000 - 1) < 0.02)
    #expect(Philox(seed: 3).normals(8, stream: (8, 1)) != Philox(seed: 3).normals(8, stream: (7, 1)))
  }

  @Test("Integers cover their range evenly")
  func integers() {
    var counts = [Int](repeating: 0, count: 10)
    for i in 0..<20_000 { counts[Philox(seed: 1).integer(below: 10, stream: (UInt64(i), 2))] += 1 }
    for count in counts { #expect(abs(count - 2000) < 200) }
  }
}
