import Compute

extension Network {
  /// Seconds that one evaluation of the network takes for an image, measured: the quickest pass over a few images within a
  /// fraction of a second, of two at least, the first of which prepares the weights.
  /// - Parameter images: in each pass; at least 1.
  public func measuredSecondsPerImage(images: Int) -> Double {
    let generator = Philox(seed: 0)
    let size = imageShape.reduce(1, *)
    let noise = Tensor(generator.normals(images * size, stream: (0, 0)), shape: [images] + imageShape)
    var (seconds, spent, passes) = (Double.infinity, 0.0, 0)
    while passes < 2 || spent < 0.3 {
      let start = ContinuousClock.now
      _ = denoise(noise, sigma: [2.5])
      let pass = (ContinuousClock.now - start) / .seconds(1)
      (seconds, spent, passes) = (min(seconds, pass), spent + pass, passes + 1)
    }
    return seconds / Double(images)
  }
}
