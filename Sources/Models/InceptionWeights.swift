import Compute
import Diagnostics

/// The tensors of an Inception network's state_dict, with each batch normalization folded into its convolution.
struct InceptionWeights {
  let source: any TensorSource
  let origin: String

  /// What torch's batch normalization of these layers adds to a variance.
  private static let epsilon = 0.001

  /// One tensor, finite.
  func tensor(_ name: String) throws -> Tensor {
    let tensor = try source.tensor(name)
    guard tensor.isFinite else {
      throw Failure(.dataError, origin, "tensor \"\(name)\" holds numbers that are not finite")
    }
    return tensor
  }

  /// Layers of one shape that read the same input, as one convolution with their outputs in order.
  ///
  /// The normalization's (x - mean) / sqrt(variance + epsilon) * weight + bias becomes a factor of the convolution's
  /// weights and a bias, computed in double precision.
  func convolution(_ layers: [InceptionArchitecture.Layer]) throws -> FusedConvolution {
    let first = layers[0]
    let inputs = source.shape(of: first.name + ".conv.weight")?[1] ?? 0
    let outputs = layers.reduce(0) { $0 + $1.outputs }
    let taps = first.kernel.height * first.kernel.width
    var bias: [Float] = []
    let weight = try Tensor(shape: [first.kernel.height, first.kernel.width, inputs, outputs]) { target in
      for layer in layers {
        let offset = bias.count
        let norm = try ["weight", "bias", "running_mean", "running_var"].map { name in
          try tensor("\(layer.name).bn.\(name)").values.map(Double.init)
        }
        guard let least = norm[3].min(), least + Self.epsilon > 0 else {
          throw Failure(.dataError, origin, "tensor \"\(layer.name).bn.running_var\" holds a negative variance")
        }
        let scale = zip(norm[0], norm[3]).map { $0 / ($1 + Self.epsilon).squareRoot() }
        bias += (0..<layer.outputs).map { Float(norm[1][$0] - norm[2][$0] * scale[$0]) }
        try tensor(layer.name + ".conv.weight").withUnsafeBufferPointer { stored in
          for output in 0..<layer.outputs {
            let factor = Float(scale[output])
            for input in 0..<inputs {
              for tap in 0..<taps {
                target[(tap * inputs + input) * outputs + offset + output] =
                  stored[(output * inputs + input) * taps + tap] * factor
              }
            }
          }
        }
      }
    }
    return FusedConvolution(
      weight: weight, bias: Tensor(bias, shape: [outputs]), stride: first.stride, padding: first.padding)
  }
}

extension InceptionNetwork {
  /// Whether tensors are named as those of this network, or of torchvision's.
  static func isNamed(_ source: some TensorSource) -> Bool {
    source.shape(of: "Mixed_5b.branch1x1.conv.weight") != nil && source.shape(of: "fc.weight") != nil
  }

  /// Whether an entry of a state_dict that is not needed may be there: counters of training.
  static func isIgnored(_ name: String) -> Bool { name.hasSuffix(".bn.num_batches_tracked") }

  /// Compares names and shapes with those of the network; reads no elements.
  /// - Throws: a `Failure` with status `dataError`.
  static func check(_ source: some TensorSource, origin: String) throws {
    let names = source.tensorNames
    if names.contains(where: { $0.hasPrefix("AuxLogits.") }) || source.shape(of: "fc.weight")?.first == 1000 {
      throw Failure(
        .dataError, origin,
        "torchvision's inception_v3, with 1000 classes: another network than that of the FID, so that its distances "
          + "compare with nobody's",
        remedy: "convert pt_inception-2015-12-05-6726825d.pth, the file that pytorch-fid downloads")
    }
    let tensors = InceptionArchitecture.tensors
    for (name, shape) in tensors {
      guard let found = source.shape(of: name) else {
        throw Failure(.dataError, origin, "tensor \"\(name)\" is missing; the Inception network of the FID has it")
      }
      guard found == shape else {
        throw Failure(
          .dataError, origin, "tensor \"\(name)\" has shape \(found); the Inception network of the FID needs \(shape)")
      }
    }
    let known = Set(tensors.map(\.name))
    if let unknown = names.first(where: { !known.contains($0) && !isIgnored($0) }) {
      throw Failure(
        .dataError, origin, "tensor \"\(unknown.prefix(200))\" belongs to no layer of the Inception network of the FID")
    }
  }
}
