import KernelInterface
import Testing

@Suite("Matrix products of each kernel set")
struct MatrixKernelsTests {
  struct Product: CustomTestStringConvertible, Sendable {
    let rows: Int, columns: Int, depth: Int
    var testDescription: String { "\(rows)x\(depth) by \(depth)x\(columns)" }
  }

  static let products =
    (1...14).map { Product(rows: $0, columns: 5, depth: 3) }
    + [1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65].map { Product(rows: 25, columns: $0, depth: 19) }
    + [1, 2, 48, 300].map { Product(rows: 13, columns: 40, depth: $0) }

  /// The sums as chains of multiply-adds in the order of the depth.
  private func chain(_ p: Product, start: (Int, Int) -> Float, _ a: (Int, Int) -> Float, _ b: (Int, Int) -> Float)
    -> [[Float]]
  {
    (0..<p.rows).map { row in
      (0..<p.columns).map { column in
        start(row, column) + (0..<p.depth).reduce(Float(0)) { $0.addingProduct(a(row, $1), b($1, column)) }
      }
    }
  }

  @Test("Every element is one chain of multiply-adds", arguments: KernelSetCase.all, products)
  func chains(set: KernelSetCase, p: Product) {
    let (kernels, stride) = (set.table, p.depth + 3)
    let a = Floats(random: p.rows * stride, 1)
    let transposed = Floats(random: p.depth * (p.rows + 5), 2)
    let b = Floats(random: p.depth * (p.columns + 2), 3)
    let width = kernels.paddedColumns(p.columns)
    let packed = Floats(count: kernels.packedCount(depth: p.depth, columns: p.columns))
    kernels.matrix.pack(depth: p.depth, columns: p.columns, b.source, stride: p.columns + 2, into: packed.target)
    #expect(packed.isIntact && packed.values.allSatisfy { !$0.isNaN })
    func element(_ k: Int, _ column: Int) -> Float { b.source[k * (p.columns + 2) + column] }

    let c = Floats(count: p.rows * width)
    kernels.matrix.multiply(
      rows: p.rows, columns: p.columns, depth: p.depth, a.source, stride, packed: packed.source, into: c.target, width)
    let once = chain(p, start: { _, _ in 0 }, { a.source[$0 * stride + $1] }, element)
    #expect(rows(c, p, width) == once && c.isIntact)

    kernels.matrix.multiplyTransposed(
      rows: p.rows, columns: p.columns, depth: p.depth, transposed.source, p.rows + 5, packed: packed.source,
      into: c.target, width, accumulate: true)
    let twice = chain(p, start: { once[$0][$1] }, { transposed.source[$1 * (p.rows + 5) + $0] }, element)
    #expect(rows(c, p, width) == twice && c.isIntact)

    func multiplyAgain(_ sums: ProductSums) {
      kernels.matrix.multiply(
        rows: p.rows, columns: p.columns, depth: p.depth, a.source, stride, packed: packed.source,
        packedDepth: p.depth, into: c.target, width, sums)
    }
    multiplyAgain(.joining)
    let thrice = zip(twice, once).map { zip($0, $1).map { $0 + $1 } }
    #expect(rows(c, p, width) == thrice && c.isIntact)

    multiplyAgain(.resuming)
    let resumed = (0..<p.rows).map { row in
      (0..<p.columns).map { column in
        (0..<p.depth).reduce(thrice[row][column]) { $0.addingProduct(a.source[row * stride + $1], element($1, column)) }
      }
    }
    #expect(rows(c, p, width) == resumed && c.isIntact)
  }

  @Test("A matrix packed as the transpose of another is the same", arguments: KernelSetCase.all, products)
  func transposedPacking(set: KernelSetCase, p: Product) {
    let (kernels, stride) = (set.table, p.columns + 1)
    let b = Floats(random: p.depth * stride, 4)
    let turned = Floats((0..<p.columns).flatMap { c in (0..<p.depth).map { b.source[$0 * stride + c] } })
    let (first, second) = (
      Floats(count: kernels.packedCount(depth: p.depth, columns: p.columns)),
      Floats(count: kernels.packedCount(depth: p.depth, columns: p.columns))
    )
    kernels.matrix.pack(depth: p.depth, columns: p.columns, b.source, stride: stride, into: first.target)
    kernels.matrix.packTransposed(
      depth: p.depth, columns: p.columns, turned.source, stride: p.depth, into: second.target)
    #expect(first.values == second.values && second.isIntact)
  }

  private func rows(_ c: Floats, _ p: Product, _ width: Int) -> [[Float]] {
    (0..<p.rows).map { row in (0..<p.columns).map { c.source[row * width + $0] } }
  }
}
