import Compute
import Diagnostics
import Files

extension NetworkConfiguration {
  /// What the names and shapes of a state_dict say of its architecture, as options by EDM's names.
  ///
  /// They determine the inner network. Of the preconditioner they tell iDDPM's alone, by its table of noise levels: the
  /// other classes have no tensors of their own, so that `precond` is left out. What training alone needs (`dropout`,
  /// `label_dropout`) and `sigma_min`, `sigma_max`, `sigma_data` are left out too.
  /// - Returns: nil where the tensors are not those of a SongUNet or DhariwalUNet below `model.`.
  /// - Throws: a `Failure` where a resampling filter cannot be read.
  public static func inferredOptions(from source: some TensorSource) throws -> [String: PlainValue]? {
    let shapes = Shapes(source)
    guard let input = shapes.names(of: "model.enc.", ending: "_conv.weight").first(where: { $0.isSquare }),
      let inputShape = shapes["model.enc.\(input.text)_conv.weight"], inputShape.count == 4,
      let mapping = shapes["model.map_layer0.weight"], mapping.count == 2
    else { return nil }
    let isSong = shapes["model.dec.\(input.text)_aux_conv.weight"] != nil
    guard isSong || shapes["model.out_conv.weight"] != nil else { return nil }

    let resolutions =
      [input.size] + shapes.names(of: "model.enc.", ending: "_down.norm0.weight").map(\.size).sorted(by: >)
    let modelChannels = isSong ? inputShape[0] : mapping[1]
    guard modelChannels > 0 else { return nil }
    var multiples: [PlainValue] = []
    var attention: [PlainValue] = []
    // The decoder has a block more than the encoder, which may have none; its last one has the level's attention.
    let first = "model.dec.\(input.text)_block"
    let blocks = (0...64).prefix { shapes[first + "\($0).conv0.weight"] != nil }.count - 1
    guard blocks >= 0 else { return nil }
    for size in resolutions {
      let block = "model.dec.\(size)x\(size)_block\(blocks)."
      guard let width = shapes[block + "conv0.weight"]?.first, width % modelChannels == 0 else { return nil }
      multiples.append(.integer(width / modelChannels))
      if shapes[block + "qkv.weight"] != nil { attention.append(.integer(size)) }
    }
    var options: [String: PlainValue] = [
      "model_type": .text(isSong ? "SongUNet" : "DhariwalUNet"), "img_resolution": .integer(input.size),
      "img_channels": .integer(inputShape[1]), "model_channels": .integer(modelChannels),
      "channel_mult": .list(multiples), "num_blocks": .integer(blocks), "attn_resolutions": .list(attention),
      "channel_mult_emb": .integer(mapping[0] / modelChannels),
      "label_dim": .integer(shapes["model.map_label.weight"]?.last ?? 0),
      "augment_dim": .integer(shapes["model.map_augment.weight"]?.last ?? 0),
    ]
    if shapes["u"] != nil { options["precond"] = .text("iDDPMPrecond") }
    if isSong {
      func has(_ part: String) -> Bool { source.tensorNames.contains { $0.contains(part) } }
      options["channel_mult_noise"] = .integer(mapping[1] / modelChannels)
      options["embedding_type"] = .text(shapes["model.map_noise.freqs"] == nil ? "positional" : "fourier")
      options["encoder_type"] = .text(has("_aux_residual.") ? "residual" : has("_aux_skip.") ? "skip" : "standard")
      options["decoder_type"] = .text(has("_aux_up.") || shapes.deepestOutput(resolutions) ? "skip" : "standard")
      options["resample_filter"] = try filter(source).map { .list($0.map { .integer($0) }) }
    }
    return options
  }

  /// The smallest whole numbers that give a state_dict's resampling filter: outer(v, v) / sum(v)^2.
  private static func filter(_ source: some TensorSource) throws -> [Int]? {
    guard let name = source.tensorNames.first(where: { $0.hasSuffix(".resample_filter") }),
      let shape = source.shape(of: name), shape.count == 4, (2...16).contains(shape[3])
    else { return nil }
    let row = try source.tensor(name).values.prefix(shape[3])
    guard let smallest = row.map({ abs($0) }).filter({ $0 > 0 }).min() else { return nil }
    let ratios = row.map { $0 / smallest }
    guard ratios.allSatisfy({ abs($0) < 1000 && abs($0 - $0.rounded()) < 1e-3 }) else { return nil }
    return ratios.map { Int($0.rounded()) }
  }
}

/// Shapes by name, and the resolutions that names speak of.
private struct Shapes {
  struct Resolution {
    /// `32x32`.
    let text: String
    let size: Int
    let isSquare: Bool
  }

  private let shapes: [String: [Int]]

  init(_ source: some TensorSource) {
    shapes = Dictionary(source.tensorNames.map { ($0, source.shape(of: $0) ?? []) }) { first, _ in first }
  }

  subscript(_ name: String) -> [Int]? { shapes[name] }

  /// The resolutions R for which there is a tensor PREFIXRxRSUFFIX.
  func names(of prefix: String, ending suffix: String) -> [Resolution] {
    shapes.keys.compactMap { name in
      guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.count > prefix.count + suffix.count else { return nil }
      let text = String(name.dropFirst(prefix.count).dropLast(suffix.count))
      let sides = text.split(separator: "x").compactMap { Int($0) }
      guard sides.count == 2, sides[0] > 0, sides[0] <= 1 << 16 else { return nil }
      return Resolution(text: text, size: sides[0], isSquare: sides[0] == sides[1])
    }
  }

  /// Whether the lowest resolution makes an image of its own, as a decoder of type "skip" does.
  func deepestOutput(_ resolutions: [Int]) -> Bool {
    guard resolutions.count > 1, let deepest = resolutions.last else { return false }
    return shapes["model.dec.\(deepest)x\(deepest)_aux_conv.weight"] != nil
  }
}
