import Autograd
import Compute
import Foundation

/// The noise level as a vector of sines and cosines.
enum NoiseEmbedding: Sendable {
  /// Frequencies 10000^(-i / (n/2 - 1)) (Vaswani et al. 2017), sines first.
  case positional(channels: Int)
  /// Random frequencies stored with the network (Tancik et al. 2020), sines first.
  case fourier(frequencies: ParameterIndex, channels: Int)

  /// - Parameter noise: c_noise of each sample, [N].
  /// - Returns: [N, channels].
  func callAsFunction(_ noise: [Float], _ pass: ForwardPass) -> Variable {
    let frequencies: [Float]
    let channels: Int
    switch self {
    case .positional(let n):
      channels = n
      let half = n / 2
      frequencies = (0..<half).map { Float(pow(10000, -Double(Float($0) / Float(max(half - 1, 1))))) }
    case .fourier(let index, let n):
      channels = n
      frequencies = pass[index].value.values.map { Float(2 * Double.pi) * $0 }
    }
    // The product is rounded to float32, as the reference does: at large arguments its rounding is what is seen.
    var values: [Float] = []
    values.reserveCapacity(noise.count * channels)
    for t in noise {
      values += frequencies.map { Float(sin(Double(t * $0))) }
      values += frequencies.map { Float(cos(Double(t * $0))) }
    }
    return Variable(Tensor(values, shape: [noise.count, channels]))
  }
}
