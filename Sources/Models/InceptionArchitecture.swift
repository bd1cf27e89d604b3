/// The layers of Inception-v3 (Szegedy et al. 2016, arXiv 1512.00567) as the Frechet distance uses it: the classification
/// graph of 2015-12-05 by the names of pytorch-fid's state_dict.
///
/// It differs from the network of the paper and of torchvision in its 1008 classes, in average pools that do not count
/// padding, and in the maximum pool of the last block.
enum InceptionArchitecture {
  /// Height and width of the images that the first layer sees.
  static let side = 299
  /// Length of the feature vector.
  static let featureCount = 2048
  /// Classes.
  static let scoreCount = 1008
  /// The stage whose first channels are the spatial features, and their number: `mixed_6/conv:0` of the original graph
  /// (Nash et al. 2021, arXiv 2103.03841, as guided-diffusion's evaluator reads it), the first branch of this block.
  static let spatial = (stage: "Mixed_6d", channels: 7, pixels: 17 * 17)

  /// A convolution without bias, a batch normalization with epsilon 0.001, and max(x, 0).
  struct Layer {
    let name: String
    let outputs: Int
    var kernel = (height: 1, width: 1)
    var stride = 1
    var padding = (vertical: 0, horizontal: 0)
  }

  /// One step of the network.
  enum Stage {
    case layer(Layer)
    case maximumPool(name: String)
    case block(name: String, [Branch])

    var name: String {
      switch self {
      case .layer(let layer): layer.name
      case .maximumPool(let name), .block(let name, _): name
      }
    }
  }

  /// One of the branches whose results a block puts beside each other.
  struct Branch {
    /// What comes before the layers.
    enum Pool { case maximum(stride: Int), average }
    var pool: Pool?
    /// One after the other.
    var layers: [Layer] = []
    /// All read the last result, and their own results stand beside each other.
    var tails: [Layer] = []
  }

  private static func layer(_ name: String, _ outputs: Int, stride: Int = 1, padding: Int = 0, _ side: Int) -> Layer {
    Layer(
      name: name, outputs: outputs, kernel: (side, side), stride: stride, padding: (padding, padding))
  }

  private static func point(_ name: String, _ outputs: Int) -> Layer { Layer(name: name, outputs: outputs) }
  /// A kernel of one row; the size of the image stays.
  private static func row(_ name: String, _ outputs: Int, _ width: Int) -> Layer {
    Layer(name: name, outputs: outputs, kernel: (1, width), padding: (0, width / 2))
  }
  /// A kernel of one column; the size of the image stays.
  private static func column(_ name: String, _ outputs: Int, _ height: Int) -> Layer {
    Layer(name: name, outputs: outputs, kernel: (height, 1), padding: (height / 2, 0))
  }

  /// All of it, up to the mean over pixels.
  static let stages: [Stage] =
    [
      .layer(layer("Conv2d_1a_3x3", 32, stride: 2, 3)), .layer(layer("Conv2d_2a_3x3", 32, 3)),
      .layer(layer("Conv2d_2b_3x3", 64, padding: 1, 3)), .maximumPool(name: "maxpool1"),
      .layer(point("Conv2d_3b_1x1", 80)), .layer(layer("Conv2d_4a_3x3", 192, 3)), .maximumPool(name: "maxpool2"),
    ] + [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)].map { blockA($0, pooled: $1) } + [blockB("Mixed_6a")]
    + [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)].map { blockC($0, inner: $1) }
    + [blockD("Mixed_7a"), blockE("Mixed_7b", pool: .average), blockE("Mixed_7c", pool: .maximum(stride: 1))]

  private static func blockA(_ name: String, pooled: Int) -> Stage {
    .block(
      name: name,
      [
        Branch(tails: [point("\(name).branch1x1", 64)]),
        Branch(
          layers: [point("\(name).branch5x5_1", 48)], tails: [layer("\(name).branch5x5_2", 64, padding: 2, 5)]),
        Branch(
          layers: [point("\(name).branch3x3dbl_1", 64), layer("\(name).branch3x3dbl_2", 96, padding: 1, 3)],
          tails: [layer("\(name).branch3x3dbl_3", 96, padding: 1, 3)]),
        Branch(pool: .average, tails: [point("\(name).branch_pool", pooled)]),
      ])
  }

  private static func blockB(_ name: String) -> Stage {
    .block(
      name: name,
      [
        Branch(tails: [layer("\(name).branch3x3", 384, stride: 2, 3)]),
        Branch(
          layers: [point("\(name).branch3x3dbl_1", 64), layer("\(name).branch3x3dbl_2", 96, padding: 1, 3)],
          tails: [layer("\(name).branch3x3dbl_3", 96, stride: 2, 3)]),
        Branch(pool: .maximum(stride: 2)),
      ])
  }

  private static func blockC(_ name: String, inner: Int) -> Stage {
    .block(
      name: name,
      [
        Branch(tails: [point("\(name).branch1x1", 192)]),
        Branch(
          layers: [point("\(name).branch7x7_1", inner), row("\(name).branch7x7_2", inner, 7)],
          tails: [column("\(name).branch7x7_3", 192, 7)]),
        Branch(
          layers: [
            point("\(name).branch7x7dbl_1", inner), column("\(name).branch7x7dbl_2", inner, 7),
            row("\(name).branch7x7dbl_3", inner, 7), column("\(name).branch7x7dbl_4", inner, 7),
          ], tails: [row("\(name).branch7x7dbl_5", 192, 7)]),
        Branch(pool: .average, tails: [point("\(name).branch_pool", 192)]),
      ])
  }

  private static func blockD(_ name: String) -> Stage {
    .block(
      name: name,
      [
        Branch(layers: [point("\(name).branch3x3_1", 192)], tails: [layer("\(name).branch3x3_2", 320, stride: 2, 3)]),
        Branch(
          layers: [
            point("\(name).branch7x7x3_1", 192), row("\(name).branch7x7x3_2", 192, 7),
            column("\(name).branch7x7x3_3", 192, 7),
          ], tails: [layer("\(name).branch7x7x3_4", 192, stride: 2, 3)]),
        Branch(pool: .maximum(stride: 2)),
      ])
  }

  private static func blockE(_ name: String, pool: Branch.Pool) -> Stage {
    .block(
      name: name,
      [
        Branch(tails: [point("\(name).branch1x1", 320)]),
        Branch(
          layers: [point("\(name).branch3x3_1", 384)],
          tails: [row("\(name).branch3x3_2a", 384, 3), column("\(name).branch3x3_2b", 384, 3)]),
        Branch(
          layers: [point("\(name).branch3x3dbl_1", 448), layer("\(name).branch3x3dbl_2", 384, padding: 1, 3)],
          tails: [row("\(name).branch3x3dbl_3a", 384, 3), column("\(name).branch3x3dbl_3b", 384, 3)]),
        Branch(pool: pool, tails: [point("\(name).branch_pool", 192)]),
      ])
  }
}

extension InceptionArchitecture {
  /// Every tensor of the state_dict that the network needs, in its order, with its shape.
  static let tensors: [(name: String, shape: [Int])] = {
    var result: [(name: String, shape: [Int])] = []
    walk { layer, inputs, _ in
      result.append((layer.name + ".conv.weight", [layer.outputs, inputs, layer.kernel.height, layer.kernel.width]))
      for name in ["weight", "bias", "running_mean", "running_var"] {
        result.append(("\(layer.name).bn.\(name)", [layer.outputs]))
      }
    }
    return result + [("fc.weight", [scoreCount, featureCount]), ("fc.bias", [scoreCount])]
  }()

  /// Bytes of all weights, and of the forms that the fast kernels keep of them.
  static let weightBytes: Int = {
    var count = 2 * featureCount * scoreCount
    walk { layer, inputs, _ in
      let taps = layer.kernel.height * layer.kernel.width
      // Multiplications of a tile over the results of one row or column of it, as `ConvolutionPlan` chooses.
      let prepared =
        switch (layer.stride, layer.kernel.height, layer.kernel.width) {
        case (1, 3, 3), (1, 5, 5): 36
        case (1, 1, 3), (1, 3, 1): 6
        case (1, 1, 7), (1, 7, 1): 10
        default: taps
        }
      count += layer.outputs * inputs * (taps + prepared)
    }
    return 4 * count
  }()

  /// Floating-point operations for one image, a multiply-add counted as two.
  static let flops: Double = {
    var flops = 2 * Double(featureCount) * Double(scoreCount)
    walk { layer, inputs, size in
      flops += 2 * Double(size * size * layer.outputs * inputs * layer.kernel.height * layer.kernel.width)
    }
    return flops
  }()

  /// Calls `body` for each layer in order, with its input channels and the side of its result.
  private static func walk(_ body: (Layer, _ inputs: Int, _ size: Int) -> Void) {
    var (size, channels) = (side, 3)
    func after(_ layer: Layer, _ inputs: Int, _ size: Int) -> Int {
      // Rows and columns keep the size of an image, so that one side speaks for both.
      let along = layer.kernel.height == layer.kernel.width
      let result = along ? (size + 2 * layer.padding.vertical - layer.kernel.height) / layer.stride + 1 : size
      body(layer, inputs, result)
      return result
    }
    for stage in stages {
      switch stage {
      case .layer(let layer): (size, channels) = (after(layer, channels, size), layer.outputs)
      case .maximumPool: size = (size - 3) / 2 + 1
      case .block(_, let branches):
        var (width, result) = (0, size)
        for branch in branches {
          var (inputs, here) = (channels, size)
          if case .maximum(stride: 2)? = branch.pool { here = (size - 3) / 2 + 1 }
          for layer in branch.layers { (here, inputs) = (after(layer, inputs, here), layer.outputs) }
          if branch.tails.isEmpty { width += inputs }
          var end = here
          for layer in branch.tails {
            end = after(layer, inputs, here)
            width += layer.outputs
          }
          result = min(result, end)
        }
        (size, channels) = (result, width)
      }
    }
  }
}
