import Autograd
import Compute

/// The network inside a preconditioner.
protocol UNet: Sendable {
  /// - Parameters:
  ///   - x: [N, H, W, C], already scaled by c_in.
  ///   - noise: c_noise, [N].
  ///   - classLabels: [N, labelDim], one-hot; nil is all zeros.
  ///   - augmentLabels: [N, augmentDim]; nil leaves that input out.
  /// - Returns: F, [N, H, W, C'] with C' = C, or 2 C for iDDPM.
  func callAsFunction(
    _ x: Variable, noise: [Float], classLabels: Tensor?, augmentLabels: Tensor?, _ pass: ForwardPass
  ) -> Variable

  /// The cost of one image of the configuration that the network was made from.
  func cost(_ configuration: NetworkConfiguration) -> NetworkCost
}
