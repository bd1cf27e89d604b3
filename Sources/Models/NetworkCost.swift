import Compute

/// What one image costs in a network, from the shapes of its layers alone.
public struct NetworkCost: Sendable {
  /// Floating-point operations of one forward pass.
  public var flops = 0.0
  /// Floats that a forward pass on a tape keeps for its gradient.
  public var keptFloats = 0
  /// Floats of the largest block's inputs and outputs: what inference holds at a time.
  public var largestBlockFloats = 0
  /// Floats of the largest matrix of attention weights, one for each thread; twice that for a gradient.
  public var attentionFloats = 0.0
}

extension Network {
  /// The cost of one image.
  public var cost: NetworkCost { unet.cost(configuration) }

  /// Parameters and buffers.
  public var parameterCount: Int { specifications.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

extension SongUNet {
  func cost(_ c: NetworkConfiguration) -> NetworkCost {
    var total = NetworkCost()
    var resolution = c.imgResolution
    func convolution(_ kernel: Int, _ inputs: Int, _ outputs: Int, at resolution: Int) {
      let pixels = resolution * resolution
      total.flops += 2 * Double(pixels) * Double(kernel * kernel * inputs) * Double(outputs)
      total.keptFloats += pixels * (inputs + outputs)
    }
    func block(_ b: UNetBlock) {
      let before = total.keptFloats
      let inputPixels = resolution * resolution
      switch b.conv0.resampling {
      case .none: break
      case .up: resolution *= 2
      case .down: resolution /= 2
      }
      let pixels = resolution * resolution
      total.keptFloats += 2 * inputPixels * b.inputs + pixels * b.outputs
      convolution(3, b.inputs, b.outputs, at: resolution)
      convolution(3, b.outputs, b.outputs, at: resolution)
      if b.skip != nil { convolution(1, b.inputs, b.outputs, at: resolution) }
      if b.selfAttention != nil {
        convolution(1, b.outputs, 3 * b.outputs, at: resolution)
        convolution(1, b.outputs, b.outputs, at: resolution)
        total.attentionFloats = max(total.attentionFloats, Double(pixels) * Double(pixels))
        total.flops += 4 * Double(pixels) * Double(pixels) * Double(b.outputs)
      }
      total.largestBlockFloats = max(total.largestBlockFloats, total.keptFloats - before)
    }
    for step in encoder {
      switch step {
      case .convolution: convolution(3, c.imgChannels, c.modelChannels, at: resolution)
      case .block(let b): block(b)
      case .auxiliarySkip(_, let projection): convolution(1, c.imgChannels, projection.outputs, at: resolution)
      case .auxiliaryResidual(let residual): convolution(3, residual.inputs, residual.outputs, at: 2 * resolution)
      }
    }
    for step in decoder {
      switch step {
      case .block(let b): block(b)
      case .auxiliaryUp: break
      case .auxiliaryOutput(_, let output): convolution(3, output.inputs, output.outputs, at: resolution)
      }
    }
    return total
  }
}
