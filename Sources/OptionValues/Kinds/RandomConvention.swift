import Diagnostics

/// How latents and classes follow from a seed.
public enum RandomConvention: String, Sendable, CaseIterable {
  /// As the official script draws them on a CPU: MT19937, one generator per seed.
  case torchCPU = "torch-cpu"
  /// As the official script draws them on a GPU: Philox4x32-10 in cuRAND's arrangement.
  case torchCUDA = "torch-cuda"
  /// Philox4x32-10 with the seed as its key: seeds of 64 bits.
  case philox

  /// The largest seed that the convention knows: the official script takes seeds modulo 2^32.
  public var largestSeed: UInt64 { self == .philox ? .max : 1 << 32 - 1 }

  /// Whether it says what a sampler draws on the way, for the noise of S_churn: what a GPU draws in double precision is
  /// not reproduced.
  public var drawsFreshNoise: Bool { self != .torchCUDA }

  /// Refuses seeds that the convention does not know.
  /// - Throws: a `Failure` (`usage`) naming the largest seed.
  public func validate(_ seeds: SeedList) throws {
    guard seeds.largest <= largestSeed else {
      throw Failure(
        .usage, "--seeds", "seed \(seeds.largest) does not exist with --rng \(rawValue)",
        remedy: "use seeds below \(1 << 32), or --rng philox")
    }
  }
}
