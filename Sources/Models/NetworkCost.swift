import Compute

/// What one image costs in a network, from the shapes of its layers alone.
public struct NetworkCost: Sendable {
  /// Floating-point operations of one forward pass.
  public var flops = 0.0
  /// Floats that a forward pass on a tape keeps for its gradient.
  public var keptFloats = 0
  /// Floats of the largest block's inputs and outputs: what inference holds at a time.
  public var largestBlockFloats = 0
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

  /// Parameters and buffers.
  public var parameterCount: Int { specifications.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

/// Adds up the cost of one image, layer by layer, in the order of a forward pass.
private struct CostSum {
  var total = NetworkCost()
  /// Height and width of the image where the sum has arrived.
  var resolution: Int

  mutating func convolution(_ kernel: Int, _ inputs: Int, _ outputs: Int) {
    let pixels = resolution * resolution
    total.flops += 2 * Double(pixels) * Double(kernel * kernel * inputs) * Double(outputs)
    total.keptFloats += pixels * (inputs + outputs)
  }

  /// A convolution outside of the blocks; one that halves or doubles the resolution ends at that of the sum.
  mutating func convolution(_ c: Convolution) {
    guard c.kernel > 0 else { return }  // filters keep nothing
    guard c.isFused, c.resampling == .down else { return convolution(c.kernel, c.inputs, c.outputs) }
    // The kernel runs over the larger image and its margin, the filter after it.
    let (side, wide) = (2 * resolution, 2 * resolution + 2 * c.filter.padding)
    total.flops += 2 * Double(wide * wide) * Double(c.kernel * c.kernel * c.inputs) * Double(c.outputs)
    let kept = side * side * c.inputs + resolution * resolution * c.outputs
    total.keptFloats += kept
    total.largestBlockFloats = max(total.largestBlockFloats, kept + wide * wide * c.outputs)
  }

  mutating func block(_ b: UNetBlock) {
    let before = total.keptFloats
    let inputPixels = resolution * resolution
    switch b.conv0.resampling {
    case .none: break
    case .up: resolution *= 2
    case .down: resolution /= 2
    }
    let pixels = resolution * resolution
    total.keptFloats += 2 * inputPixels * b.inputs + pixels * b.outputs
    convolution(3, b.inputs, b.outputs)
    convolution(3, b.outputs, b.outputs)
    if let skip = b.skip {
      if skip.kernel > 0 {
        convolution(skip.kernel, b.inputs, b.outputs)
      } else {
        total.keptFloats += pixels * b.outputs
      }
    }
    if let attention = b.selfAttention {
      convolution(1, b.outputs, 3 * b.outputs)
      convolution(1, b.outputs, b.outputs)
      let width = b.outputs / attention.heads
      total.attentionFloats = max(
        total.attentionFloats, attentionScratchFloats(pixels: pixels, headChannels: width, isGradient: false))
      total.attentionGradientFloats = max(
        total.attentionGradientFloats, attentionScratchFloats(pixels: pixels, headChannels: width, isGradient: true))
      total.flops += 4 * Double(pixels) * Double(pixels) * Double(b.outputs)
    }
    total.largestBlockFloats = max(total.largestBlockFloats, total.keptFloats - before)
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
        sum.convolution(down)
        sum.convolution(projection)
      case .auxiliaryResidual(let residual): sum.convolution(residual)
      }
    }
    for step in decoder {
      switch step {
      case .block(let block): sum.block(block)
      case .auxiliaryUp(let up): sum.convolution(up)
      case .auxiliaryOutput(_, let output): sum.convolution(output)
      }
    }
    return sum.total
  }
}

extension DhariwalUNet {
  func cost(_ c: NetworkConfiguration) -> NetworkCost {
    var sum = CostSum(resolution: c.imgResolution)
    sum.convolution(input)
    for block in encoder + decoder { sum.block(block) }
    sum.convolution(output)
    return sum.total
  }
}
