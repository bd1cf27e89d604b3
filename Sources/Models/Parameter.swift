import Compute

/// The place of one parameter or buffer in a network's list, in state_dict order.
package struct ParameterIndex: Sendable {
  let position: Int
}

/// Name, shape and meaning of one entry of a network's state_dict.
public struct ParameterSpecification: Sendable, Equatable {
  /// The name in PyTorch's state_dict, for example `model.enc.8x8_block0.conv0.weight`.
  public let name: String
  /// The shape in PyTorch's state_dict.
  public let shape: [Int]
  /// How the elements are arranged in memory here.
  public let layout: ParameterLayout

  /// Whether it is a buffer that follows from the configuration, such as a filter: a file may leave it out.
  public internal(set) var isDerived = false

  /// Whether it can stay in its file until a layer needs it: the weights of all but the smallest 3x3 convolutions.
  var isDeferrable: Bool { layout == .convolution && shape[2...] == [3, 3] && shape.reduce(1, *) >= 1 << 14 }

  /// Whether training changes it; buffers such as filters and frequencies stay as they are.
  public var isTrainable: Bool { layout != .buffer }
}

/// How a state_dict entry is arranged in memory, so that NHWC kernels read it in order.
public enum ParameterLayout: Sendable, Equatable {
  /// A vector, as it is.
  case vector
  /// A constant that is no parameter, as it is.
  case buffer
  /// [out, in] becomes [in, out].
  case linear
  /// [out, in, height, width] becomes [height, width, in, out].
  case convolution
  /// As `convolution`, and the outputs, which interleave q, k and v, become three blocks.
  case attentionConvolution
  /// The bias of an `attentionConvolution`.
  case attentionBias

  /// From the order of the state_dict to the order in memory.
  package func arranged(_ tensor: Tensor) -> Tensor {
    switch self {
    case .vector, .buffer: tensor
    case .linear:
      transposed(tensor, rows: tensor.shape[0], columns: tensor.shape[1]).reshaped([tensor.shape[1], tensor.shape[0]])
    case .convolution: convolutionArranged(tensor)
    case .attentionConvolution: permutedRows(convolutionArranged(tensor), toMemory: true)
    case .attentionBias: permutedRows(tensor, toMemory: true)
    }
  }

  /// From the order in memory to the order of the state_dict.
  /// - Parameter shape: the shape in the state_dict.
  package func restored(_ tensor: Tensor, shape: [Int]) -> Tensor {
    switch self {
    case .vector, .buffer: tensor.reshaped(shape)
    case .linear: transposed(tensor, rows: tensor.shape[0], columns: tensor.shape[1]).reshaped(shape)
    case .convolution: convolutionRestored(tensor, shape: shape)
    case .attentionConvolution:
      convolutionRestored(permutedRows(tensor, toMemory: false), shape: shape)
    case .attentionBias: permutedRows(tensor, toMemory: false).reshaped(shape)
    }
  }

  private func convolutionArranged(_ tensor: Tensor) -> Tensor {
    let s = tensor.shape
    return tensor.convolutionWeights(outputs: s[0], inputs: s[1], taps: s[2] * s[3])
      .reshaped([s[2], s[3], s[1], s[0]])
  }

  private func convolutionRestored(_ tensor: Tensor, shape s: [Int]) -> Tensor {
    let taps = tensor.reshaped([s[2] * s[3], s[1], s[0]]).transposedEach
    return transposed(taps, rows: s[2] * s[3], columns: s[0] * s[1]).reshaped(s)
  }

  /// Reorders the innermost axis, 3 C long: the state_dict has (head, channel, q|k|v), memory has (q|k|v, head, channel).
  private func permutedRows(_ tensor: Tensor, toMemory: Bool) -> Tensor {
    guard let total = tensor.shape.last else { return tensor }
    let channels = total / 3
    var result = tensor
    tensor.withUnsafeBufferPointer { source in
      result.withUnsafeMutableBufferPointer { target in
        for row in stride(from: 0, to: source.count, by: total) {
          for part in 0..<3 {
            for channel in 0..<channels {
              let (memory, file) = (row + part * channels + channel, row + channel * 3 + part)
              if toMemory { target[memory] = source[file] } else { target[file] = source[memory] }
            }
          }
        }
      }
    }
    return result
  }
}

private func transposed(_ tensor: Tensor, rows: Int, columns: Int) -> Tensor {
  tensor.reshaped([1, rows, columns]).transposedEach
}

extension Tensor {
  /// Transposes the matrices of a [count, rows, columns] array.
  fileprivate var transposedEach: Tensor {
    reshaped([shape[0], 1, shape[1], shape[2]]).nchw.reshaped([shape[0], shape[2], shape[1]])
  }
}

/// Collects the parameters of a network while its layers are made, in state_dict order.
package final class ParameterBuilder {
  package private(set) var specifications: [ParameterSpecification] = []
  /// The first layer whose widths do not go together, and why.
  var contradiction: String?
  /// Values of buffers that follow from the configuration.
  private(set) var derived: [String: DerivedBuffer] = [:]

  /// What the configuration says of a buffer.
  struct DerivedBuffer {
    let values: [Float]
    /// The options from which it follows, for errors.
    let options: String
    /// How far a file's numbers may be off, relative to 1 and to each number.
    let absoluteTolerance: Float, relativeTolerance: Float

    func agrees(with tensor: Tensor) -> Bool {
      zip(tensor.values, values).allSatisfy { abs($0 - $1) <= absoluteTolerance + relativeTolerance * abs($1) }
    }
  }

  package init() {}

  package func add(_ name: String, _ shape: [Int], _ layout: ParameterLayout) -> ParameterIndex {
    add(ParameterSpecification(name: name, shape: shape, layout: layout))
  }

  private func add(_ specification: ParameterSpecification) -> ParameterIndex {
    specifications.append(specification)
    return ParameterIndex(position: specifications.count - 1)
  }

  /// A buffer whose value the configuration determines; a source must agree.
  @discardableResult
  func addDerivedBuffer(
    _ name: String, _ shape: [Int], _ values: [Float], from options: String, relativeTolerance: Float = 0
  ) -> ParameterIndex {
    derived[name] = DerivedBuffer(
      values: values, options: options, absoluteTolerance: 1e-6, relativeTolerance: relativeTolerance)
    return add(ParameterSpecification(name: name, shape: shape, layout: .buffer, isDerived: true))
  }
}
