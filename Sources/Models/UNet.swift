import Autograd
import Compute

/// The network inside a preconditioner.
protocol UNet: Sendable {
  /// Runs the encoder.
  /// - Parameters:
  ///   - x: [N, H, W, C], already scaled by c_in.
  ///   - noise: c_noise, [N].
  ///   - classLabels: [N, labelDim], one-hot; nil is all zeros.
  ///   - augmentLabels: [N, augmentDim]; nil leaves that input out.
  func encode(
    _ x: Variable, noise: [Float], classLabels: Tensor?, augmentLabels: Tensor?, _ pass: ForwardPass
  ) -> EncodedFeatures

  /// Runs the decoder, which takes what it reads out of `encoded`.
  /// - Returns: F, [N, H, W, C'] with C' = C, or 2 C for iDDPM.
  func decode(_ encoded: inout EncodedFeatures, _ pass: ForwardPass) -> Variable

  /// The cost of one image of the configuration that the network was made from.
  func cost(_ configuration: NetworkConfiguration) -> NetworkCost
}

/// What an encoder hands to its decoder.
struct EncodedFeatures {
  /// The last activation of the encoder, at the lowest resolution, [N, h, w, C].
  var features: Variable
  /// The stack of skip connections, the last one on top.
  var skips: [Variable]
  /// The embedding of noise and labels, [N, E].
  let embedding: Variable
}
