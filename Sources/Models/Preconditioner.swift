import Foundation

/// D(x; sigma) = c_skip x + c_out F(c_in x, c_noise): Karras et al. 2022, arXiv 2206.00364, table 1.
enum Preconditioner: Sendable {
  /// The EDM column of the table.
  case edm(sigmaData: Float)

  /// The coefficients of one noise level.
  struct Coefficients {
    let skip: Float, out: Float, input: Float, noise: Float
  }

  func callAsFunction(_ sigma: Float) -> Coefficients {
    switch self {
    case .edm(let data):
      let variance = sigma * sigma + data * data
      return Coefficients(
        skip: data * data / variance, out: sigma * data / variance.squareRoot(), input: 1 / variance.squareRoot(),
        noise: Float(log(Double(sigma))) / 4)
    }
  }
}
