import Compute
import HDF5
import TestSupport

/// A pair of feature sets whose distances were recorded with the official programs.
struct RecordedDistances {
  let group: HDF5Group
  /// Features of generated images, [N, D].
  let x: Tensor
  /// Features of reference images, [N, D].
  let y: Tensor

  init(_ name: String) throws {
    group = try HDF5File.open(Fixtures.path("golden/fid/distances.h5")).root.group(name)
    if try group.stringAttribute("kind") == "stored" {
      let (x, y) = (try group.dataset("x"), try group.dataset("y"))
      self.x = Tensor(try x.read(Float.self), shape: x.shape)
      self.y = Tensor(try y.read(Float.self), shape: y.shape)
      return
    }
    let columns = try group.intAttribute("dim")
    x = FormulaFeatures.make(
      tag: "golden-public/\(name)/gen", rows: try group.intAttribute("n_x"), columns: columns, shift: 0.3, scale: 1.1)
    y = FormulaFeatures.make(
      tag: "golden-public/\(name)/ref", rows: try group.intAttribute("n_y"), columns: columns, shift: 0.25, scale: 0.9)
  }

  /// A recorded number.
  func number(_ name: String) throws -> Double { try group.dataset(name).read(Double.self)[0] }
}

extension Tensor {
  /// Some rows of a matrix, in the order of `places`.
  func gathered(_ places: [Int]) -> Tensor {
    Tensor(places.flatMap { rows($0..<$0 + 1).values }, shape: [places.count, shape[1]])
  }
}

/// numpy's RandomState: MT19937, and the shuffle behind `choice(n, m, replace=False)`.
struct NumpyRandomState {
  private var state = [UInt32](repeating: 0, count: 624)
  private var index = 624

  init(_ seed: UInt32) {
    state[0] = seed
    for i in 1..<624 { state[i] = 1_812_433_253 &* (state[i - 1] ^ state[i - 1] >> 30) &+ UInt32(i) }
  }

  mutating func choice(_ count: Int, _ size: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, interval(UInt32(i))) }
    return Array(order.prefix(size))
  }

  /// A number from 0 to `limit`, by rejection.
  private mutating func interval(_ limit: UInt32) -> Int {
    let mask = UInt32.max >> UInt32(limit.leadingZeroBitCount)
    while true {
      let value = next() & mask
      if value <= limit { return Int(value) }
    }
  }

  private mutating func next() -> UInt32 {
    if index == 624 {
      for i in 0..<624 {
        let y = state[i] & 0x8000_0000 | state[(i + 1) % 624] & 0x7FFF_FFFF
        state[i] = state[(i + 397) % 624] ^ y >> 1 ^ (y & 1 == 1 ? 0x9908_B0DF : 0)
      }
      index = 0
    }
    var y = state[index]
    index += 1
    y ^= y >> 11
    y ^= y << 7 & 0x9D2C_5680
    y ^= y << 15 & 0xEFC6_0000
    return y ^ y >> 18
  }
}
