import Compute

/// A tensor of reproducible standard normals.
func randomTensor(_ shape: [Int], _ stream: UInt64, scale: Float = 1) -> Tensor {
  Tensor(Philox(seed: 77).normals(shape.reduce(1, *), stream: (stream, 9)).map { $0 * scale }, shape: shape)
}

/// Sum over elements of a * b, in double precision.
func dot(_ a: Tensor, _ b: Tensor) -> Double {
  zip(a.values, b.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}
