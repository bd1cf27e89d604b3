/// Softmax over the rows of a matrix, for attention.
public enum SoftmaxKernel {
  /// In place: x[r, :] = softmax(x[r, :] * scale).
  public static func forward(rows: Int, columns: Int, scale: Float, _ x: Target) {
    let s = Vector(repeating: scale)
    for r in 0..<rows {
      let row = x + r * columns
      var peak = -Float.infinity
      for c in 0..<columns { peak = max(peak, row[c]) }
      let offset = Vector(repeating: -peak * scale)
      map(columns, row, into: row) { exponential(multiplyAdd($0, s, offset)) }
      var sum = 0.0
      for c in 0..<columns { sum += Double(row[c]) }
      let reciprocal = Vector(repeating: Float(1 / sum))
      map(columns, row, into: row) { $0 * reciprocal }
    }
  }

  /// In place on dy: dx[r, :] = scale * y * (dy - sum(y dy)).
  public static func gradient(rows: Int, columns: Int, scale: Float, y: Source, _ dy: Target) {
    let s = Vector(repeating: scale)
    for r in 0..<rows {
      let out = dy + r * columns
      let p = y + r * columns
      var dot = 0.0
      for c in 0..<columns { dot += Double(p[c]) * Double(out[c]) }
      let mean = Vector(repeating: Float(dot))
      map(columns, p, out, into: out) { s * $0 * ($1 - mean) }
    }
  }
}
