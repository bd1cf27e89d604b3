import Autograd
import Compute
import Foundation

/// The noise level as a vector of sines and cosines.
package enum NoiseEmbedding: Sendable {
  /// Fixed frequencies (Vaswani et al. 2017).
  case positional(Positions, channels: Int)
  /// Random frequencies stored with the network (Tancik et al. 2020), sines first.
  case fourier(frequencies: ParameterIndex, channels: Int)

  /// The two conventions for fixed frequencies.
  package enum Positions: Sendable {
    /// 10000^(-i / (n/2 - 1)), sines first.
    case song
    /// 10000^(-i / (n/2)), cosines first.
    case dhariwal
  }

  /// - Parameter noise: c_noise of each sample, [N].
  /// - Returns: [N, channels].
  package func callAsFunction(_ noise: [Float], _ pass: ForwardPass) -> Variable {
    let frequencies: [Float]
    let channels: Int
    var startsWithCosines = false
    switch self {
    case .positional(let positions, let n):
      channels = n
      let half = n / 2
      let last = positions == .song ? max(half - 1, 1) : half
      frequencies = (0..<half).map { Float(pow(10000, -Double(Float($0) / Float(last)))) }
      startsWithCosines = positions == .dhariwal
    case .fourier(let index, let n):
      channels = n
      frequencies = pass[index].value.values.map { Float(2 * Double.pi) * $0 }
    }
    // The product is rounded to float32, as the reference does: at large arguments its rounding is what is seen.
    func rows(cosinesFirst: Bool) -> Tensor {
      Tensor(rows: noise.count, length: channels) { row in
        let t = noise[row]
        WorkCount.note(functions: channels)
        let sines = frequencies.map { Float(sin(Double(t * $0))) }
        let cosines = frequencies.map { Float(cos(Double(t * $0))) }
        return cosinesFirst ? cosines + sines : sines + cosines
      }
    }
    let counted = WorkCount.begin(.embedding)
    defer { counted?.end() }
    // EDM's module has the cosines first in both families; SongUNet exchanges the halves after it.
    pass.observe?("model.map_noise", rows(cosinesFirst: true))
    return Variable(rows(cosinesFirst: startsWithCosines))
  }
}
