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

  mutating func convolution(_ kernel: Int, _ inputs: Int, _ outputs: Int, at resolution: Int? = nil) {
    let side = resolution ?? self.resolution
    let pixels = side * side
    total.flops += 2 * Double(pixels) * Double(kernel * kernel * inputs) * Double(outputs)
    total.keptFloats += pixels * (inputs + outputs)
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
      case .convolution: sum.convolution(3, c.imgChannels, c.modelChannels)
      case .block(let b): sum.block(b)
      case .auxiliarySkip(_, let projection): sum.convolution(1, c.imgChannels, projection.outputs)
      case .auxiliaryResidual(let residual):
        sum.convolution(3, residual.inputs, residual.outputs, at: 2 * sum.resolution)
      }
    }
    for step in decoder {
      switch step {
      case .block(let b): sum.block(b)
      case .auxiliaryUp: break
      case .auxiliaryOutput(_, let output): sum.convolution(3, output.inputs, output.outputs)
      }
    }
    return sum.total
  }
}

extension DhariwalUNet {
  func cost(_ c: NetworkConfiguration) -> NetworkCost {
    var sum = CostSum(resolution: c.imgResolution)
    sum.convolution(3, input.inputs, input.outputs)
    for block in encoder + decoder { sum.block(block) }
    sum.convolution(3, output.inputs, output.outputs)
    return sum.total
  }
}
