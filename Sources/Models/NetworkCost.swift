import Compute

/// What one image costs in a network, from the shapes of its layers alone.
public struct NetworkCost: Sendable {
  /// What memory takes beyond the floats asked for: sizes are rounded up, and a larger buffer may serve a smaller request.
  /// Measured: with it, estimates for CIFAR-10 and ImageNet networks come within a seventh of the use.
  public static let memoryFactor = 1.2
  /// A process of this package before it has a network, with the buffers of its libraries.
  public static let processBytes = 150 << 20

  /// Floating-point operations of one forward pass.
  public var flops = 0.0
  /// Floats that a forward pass on a tape keeps for the gradients of its weights and its input.
  public var keptFloats = 0
  /// The same where no weight is trained: inputs of layers that are linear in them are not kept.
  public var frozenFloats = 0
  /// The same where every block is computed again for its gradient: the inputs of the blocks.
  public var checkpointedFloats = 0
  /// Floats that the encoder keeps for the decoder.
  public var skipFloats = 0
  /// The most floats that one block holds at a time without a tape.
  public var largestBlockFloats = 0
  /// The most floats that one block keeps on a tape.
  public var largestKeptFloats = 0
  /// Floats that each thread works on in attention.
  public var attentionFloats = 0
  /// Floats that each thread works on in the gradient of attention.
  public var attentionGradientFloats = 0
}

extension Network {
  /// The cost of one image.
  public var cost: NetworkCost { unet.cost(configuration) }

  /// Bytes of all weights in the form that the fastest convolutions read, where they are kept.
  public var preparedWeightBytes: Int {
    specifications.reduce(0) { sum, s in
      switch s.layout {
      case .vector, .buffer, .attentionBias: sum
      case .linear, .convolution, .attentionConvolution:
        sum + 4 * s.shape.reduce(1, *) * (s.shape.count == 4 && s.shape[3] == 3 ? 4 : 1)
      }
    }
  }

  /// Parameters that a network read with `deferringWeights` leaves in its file, and those of the largest such layer.
  public var deferrableParameterCounts: (all: Int, largest: Int) {
    let counts = specifications.filter(\.isDeferrable).map { $0.shape.reduce(1, *) }
    return (counts.reduce(0, +), counts.max() ?? 0)
  }

  /// Parameters and buffers.
  public var parameterCount: Int { specifications.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

/// Adds up the cost of one image, layer by layer, in the order of a forward pass.
private struct CostSum {
  var total = NetworkCost()
  /// Height and width of the image where the sum has arrived.
  var resolution: Int

  /// The channels there.
  private var channels = 0
  private var isInDecoder = false

  init(resolution: Int) { self.resolution = resolution }

  private mutating func count(_ kernel: Int, _ inputs: Int, _ outputs: Int) {
    total.flops += 2 * Double(resolution * resolution) * Double(kernel * kernel * inputs) * Double(outputs)
  }

  /// A tensor that stays whatever is trained.
  private mutating func keep(_ floats: Int) {
    total.keptFloats += floats
    total.frozenFloats += floats
  }

  /// A convolution outside of the blocks; one that halves or doubles the resolution ends at that of the sum.
  /// - Parameter follows: whether what it gives is the input of the next block.
  mutating func convolution(_ c: Convolution, follows: Bool = true) {
    if follows { channels = c.outputs }
    guard c.kernel > 0 else { return }  // filters keep nothing
    guard c.isFused, c.resampling == .down else {
      count(c.kernel, c.inputs, c.outputs)
      total.keptFloats += resolution * resolution * c.inputs
      return endStep(resolution * resolution * (c.inputs + c.outputs))
    }
    // The kernel runs over the larger image and its margin, the filter after it.
    let (side, wide) = (2 * resolution, 2 * resolution + 2 * c.filter.padding)
    total.flops += 2 * Double(wide * wide) * Double(c.kernel * c.kernel * c.inputs) * Double(c.outputs)
    total.keptFloats += side * side * c.inputs
    endStep(side * side * c.inputs + resolution * resolution * c.outputs + wide * wide * c.outputs)
  }

  /// The norm and the activation before a network's output.
  mutating func outputNorm() { keep(resolution * resolution * channels) }

  private mutating func endStep(_ heldFloats: Int) {
    total.largestBlockFloats = max(total.largestBlockFloats, heldFloats)
    if !isInDecoder { total.skipFloats += resolution * resolution * channels }
  }

  /// From here on nothing is put aside, and blocks join what was.
  mutating func beginDecoder() { isInDecoder = true }

  mutating func block(_ b: UNetBlock) {
    let before = total.keptFloats
    let input = resolution * resolution * b.inputs
    // Without the channels that the encoder has kept anyway.
    total.checkpointedFloats += resolution * resolution * (isInDecoder ? channels : b.inputs)
    switch b.conv0.resampling {
    case .none: break
    case .up: resolution *= 2
    case .down: resolution /= 2
    }
    let pixels = resolution * resolution
    let output = pixels * b.outputs
    channels = b.outputs
    // norm0 keeps x, conv0 its own input, norm1 what conv0 gives, conv1 its input.
    keep(input + output)
    total.keptFloats += pixels * b.inputs + output
    var held = input + max(pixels * b.inputs + output, 2 * output)
    count(3, b.inputs, b.outputs)
    count(3, b.outputs, b.outputs)
    if let skip = b.skip {
      if skip.kernel > 0 { count(skip.kernel, b.inputs, b.outputs) }
      if skip.kernel > 0, skip.resampling != .none { total.keptFloats += pixels * b.inputs }
      held += output
    }
    held += output
    if let attention = b.selfAttention {
      // norm2 keeps x, attention q, k and v; the convolutions around it their inputs.
      keep(4 * output)
      total.keptFloats += 2 * output
      held = max(held, 5 * output)
      count(1, b.outputs, 3 * b.outputs)
      count(1, b.outputs, b.outputs)
      let width = b.outputs / attention.heads
      total.attentionFloats = max(
        total.attentionFloats, attentionScratchFloats(pixels: pixels, headChannels: width, isGradient: false))
      total.attentionGradientFloats = max(
        total.attentionGradientFloats, attentionScratchFloats(pixels: pixels, headChannels: width, isGradient: true))
      total.flops += 4 * Double(pixels) * Double(pixels) * Double(b.outputs)
    }
    total.largestKeptFloats = max(total.largestKeptFloats, total.keptFloats - before)
    endStep(held)
  }
}

extension SongUNet {
  func cost(_ c: NetworkConfiguration) -> NetworkCost {
    var sum = CostSum(resolution: c.imgResolution)
    for step in encoder {
      switch step {
      case .convolution(let convolution): sum.convolution(convolution)
      case .block(let block): sum.block(block)
      case .auxiliarySkip(let down, let projection):
        sum.convolution(down, follows: false)
        sum.convolution(projection)
      case .auxiliaryResidual(let residual): sum.convolution(residual)
      }
    }
    sum.beginDecoder()
    for step in decoder {
      switch step {
      case .block(let block): sum.block(block)
      case .auxiliaryUp(let up): sum.convolution(up, follows: false)
      case .auxiliaryOutput(_, let output):
        sum.outputNorm()
        sum.convolution(output, follows: false)
      }
    }
    return sum.total
  }
}

extension DhariwalUNet {
  func cost(_ c: NetworkConfiguration) -> NetworkCost {
    var sum = CostSum(resolution: c.imgResolution)
    sum.convolution(input)
    for block in encoder { sum.block(block) }
    sum.beginDecoder()
    for block in decoder { sum.block(block) }
    sum.outputNorm()
    sum.convolution(output)
    return sum.total
  }
}
