import CVector
import KernelInterface

/// A few rows of a product with one panel: what the innermost kernel computes in one pass over the depth.
struct RowBlock {
  /// Terms of each sum.
  let depth: Int
  /// The left operand, and floats from one row, and from one term, to the next.
  let a: Source
  var rowStride: Int, depthStride: Int
  /// [depth, two vectors].
  let panel: Source
  /// The product, and floats from one row to the next.
  let c: Target, cStride: Int
  /// Whether the sums go on from what is there.
  let continues: Bool
  /// Whether the sums join what is there.
  let accumulate: Bool
  /// What will be read next, `fetched` floats for each term: memory delivers it while these rows are multiplied.
  let next: Source

  /// Floats of a line of cache.
  @inline(__always) static var fetched: Int { 16 }

  /// Computes the block with the sums of as many rows as `Sums` has in registers.
  @inline(__always) fileprivate func multiply<Sums: RowSums>(_: Sums.Type) {
    var sums = continues ? Sums(c, cStride) : Sums()
    var (factors, b, ahead) = (a, panel, next)
    for _ in 0..<depth {
      sid_prefetch_far(ahead)
      sums.add(factors, rowStride, load(b), load(b + lanes))
      factors += depthStride
      b += 2 &* lanes
      ahead += Self.fetched
    }
    sums.finish(c, cStride, accumulate)
  }
}

/// The sums of some rows by two vectors.
protocol RowSums {
  /// How many rows.
  static var rows: Int { get }
  /// Zeros.
  init()
  /// What stands in rows `stride` floats apart.
  init(_ c: Target, _ stride: Int)
  /// Adds the products of one factor for each row, `stride` floats apart, and the two vectors.
  mutating func add(_ factors: Source, _ stride: Int, _ first: Vector, _ second: Vector)
  /// Writes the sums to rows `stride` floats apart, or adds them to what is there.
  func finish(_ c: Target, _ stride: Int, _ accumulate: Bool)
}

/// One row.
struct OneRow: RowSums {
  private var first: Vector
  private var second: Vector

  @inline(__always) init() { (first, second) = (Vector(repeating: 0), Vector(repeating: 0)) }

  @inline(__always) init(_ c: Target, _ stride: Int) { (first, second) = (load(c), load(c + lanes)) }

  @inline(__always) static var rows: Int { 1 }

  @inline(__always) mutating func add(_ factors: Source, _ stride: Int, _ first: Vector, _ second: Vector) {
    let factor = Vector(repeating: factors.pointee)
    self.first = multiplyAdd(factor, first, self.first)
    self.second = multiplyAdd(factor, second, self.second)
  }

  @inline(__always) func finish(_ c: Target, _ stride: Int, _ accumulate: Bool) {
    let next = c + lanes
    if accumulate {
      store(load(c) + first, c)
      store(load(next) + second, next)
    } else {
      store(first, c)
      store(second, next)
    }
  }
}

/// Some rows, and some more below them.
struct Rows<Upper: RowSums, Lower: RowSums>: RowSums {
  private var upper: Upper
  private var lower: Lower

  @inline(__always) init() { (upper, lower) = (Upper(), Lower()) }

  @inline(__always) init(_ c: Target, _ stride: Int) {
    (upper, lower) = (Upper(c, stride), Lower(c + Upper.rows &* stride, stride))
  }

  @inline(__always) static var rows: Int { Upper.rows + Lower.rows }

  @inline(__always) mutating func add(_ factors: Source, _ stride: Int, _ first: Vector, _ second: Vector) {
    upper.add(factors, stride, first, second)
    lower.add(factors + Upper.rows &* stride, stride, first, second)
  }

  @inline(__always) func finish(_ c: Target, _ stride: Int, _ accumulate: Bool) {
    upper.finish(c, stride, accumulate)
    lower.finish(c + Upper.rows &* stride, stride, accumulate)
  }
}

typealias TwoRows = Rows<OneRow, OneRow>
typealias ThreeRows = Rows<TwoRows, OneRow>
typealias FourRows = Rows<TwoRows, TwoRows>
typealias SixRows = Rows<ThreeRows, ThreeRows>

typealias EightRows = Rows<FourRows, FourRows>

/// Computes a block whose terms lie side by side in the left operand.
@inline(never) func multiplyRows(_ rows: Int, _ block: RowBlock) {
  var block = block
  block.depthStride = 1
  block.multiply(rows)
}

/// Computes a block whose rows lie side by side in the left operand.
@inline(never) func multiplyColumns(_ rows: Int, _ block: RowBlock) {
  var block = block
  block.rowStride = 1
  block.multiply(rows)
}

extension RowBlock {
  @inline(__always) fileprivate func multiply(_ rows: Int) {
    switch rows {
    case 1: multiply(OneRow.self)
    case 2: multiply(TwoRows.self)
    case 3: multiply(ThreeRows.self)
    case 4: multiply(FourRows.self)
    case 5: multiply(Rows<FourRows, OneRow>.self)
    #if SID_WIDE
      case 6: multiply(SixRows.self)
      case 7: multiply(Rows<FourRows, ThreeRows>.self)
      case 8: multiply(EightRows.self)
      case 9: multiply(Rows<EightRows, OneRow>.self)
      case 10: multiply(Rows<EightRows, TwoRows>.self)
      case 11: multiply(Rows<EightRows, ThreeRows>.self)
      default: multiply(Rows<EightRows, FourRows>.self)
    #else
      default: multiply(SixRows.self)
    #endif
    }
  }
}
