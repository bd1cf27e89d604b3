extension Network {
  /// Floating-point operations of one evaluation on one image, a multiply-add counted as two.
  ///
  /// Counts convolutions, linear layers and attention; normalization and the like are a few percent more. Resolutions
  /// are read off the names of the blocks (`enc.16x16_block0`).
  public var flopsPerImage: Double {
    specifications.reduce(0) { sum, specification in
      let shape = specification.shape
      guard specification.isTrainable, shape.count >= 2 else { return sum }
      let weights = Double(shape.reduce(1, *))
      guard shape.count == 4, let side = Self.resolution(of: specification.name) else { return sum + 2 * weights }
      let pixels = Double(side * side)
      // Attention: two products of [pixels, channels] matrices over the whole image.
      let attention = specification.name.hasSuffix("qkv.weight") ? 4 * pixels * pixels * Double(shape[1]) : 0
      return sum + 2 * weights * pixels + attention
    }
  }

  /// Memory of the parameters in bytes.
  public var parameterBytes: Int { specifications.reduce(0) { $0 + 4 * $1.shape.reduce(1, *) } }

  /// About the memory in bytes that one image takes in an evaluation without gradients: what the encoder keeps for the
  /// decoder, and the widest layer's inputs, outputs and convolution patches.
  public var evaluationBytesPerImage: Int {
    var kept = 0
    var widest = 0
    for specification in specifications where specification.shape.count == 4 && specification.isTrainable {
      guard let side = Self.resolution(of: specification.name) else { continue }
      let output = 4 * side * side * specification.shape[0]
      let patches = 4 * side * side * specification.shape.dropFirst().reduce(1, *)
      widest = max(widest, 3 * output + patches)
      if specification.name.contains("enc."),
        specification.name.hasSuffix("conv1.weight") || specification.name.hasSuffix("_conv.weight")
      {
        kept += output
      }
    }
    return kept + widest
  }

  /// 16 for "model.enc.16x16_block0.conv0.weight".
  private static func resolution(of name: String) -> Int? {
    name.split(separator: ".").compactMap { part -> Int? in
      let digits = part.prefix { $0.isNumber }
      guard let side = Int(digits), part.dropFirst(digits.count).hasPrefix("x\(digits)_") else { return nil }
      return side
    }.first
  }
}
