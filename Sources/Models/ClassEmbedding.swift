import Autograd
import Compute

/// The classes of images as vectors: a linear layer over one-hot labels, some of which are dropped in training so that
/// the network learns to do without (Ho & Salimans 2022, arXiv 2207.12598).
struct ClassEmbedding: Sendable {
  let linear: Linear
  let classes: Int
  let scale: Float  // of the labels

  /// Nil where there are no classes.
  init?(_ builder: ParameterBuilder, _ name: String, classes: Int, outputs: Int, bias: Bool, scale: Float) {
    guard classes > 0 else { return nil }
    self.classes = classes
    self.scale = scale
    linear = Linear(builder, name, inputs: classes, outputs: outputs, bias: bias)
  }

  /// - Parameter labels: [images, classes], one-hot; nil is all zeros.
  /// - Returns: [images, outputs].
  func callAsFunction(_ labels: Tensor?, images: Int, _ pass: ForwardPass) -> Variable {
    guard let labels else { return linear(Variable(Tensor(shape: [images, classes])), pass) }
    let factors = pass.keepsLabels(images).map { $0 ? scale : 0 }
    return linear(Variable(scaledRows(labels, by: factors)), pass)
  }
}

extension ForwardPass {
  /// Which images keep their class: in training each loses it with the probability `labelDropout`, as a function of the
  /// pass's key and the image's number alone.
  func keepsLabels(_ images: Int) -> [Bool] {
    guard let (key, firstImage) = dropout, labelDropout > 0 else { return Array(repeating: true, count: images) }
    let generator = Philox(seed: key)
    return (0..<images).map { generator.uniform(stream: (UInt64(firstImage + $0), 0)) >= labelDropout }
  }
}
