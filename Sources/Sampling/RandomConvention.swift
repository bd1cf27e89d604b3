import Compute
import Diagnostics
import OptionValues

extension RandomConvention {
  /// Refuses a sampler that draws what the convention does not specify.
  /// - Throws: a `Failure` (`usage`).
  public func validate(_ sampler: Sampler) throws {
    guard !drawsFreshNoise, case .heun(let heun) = sampler, heun.churn != nil else { return }
    throw Failure(
      .usage, "--s-churn", "what a GPU draws in double precision is not reproduced",
      remedy: "use --rng torch-cpu or philox")
  }
}

/// Everything that one image draws, each a function of its own seed alone: latents, then the class, then fresh noise for
/// every step of a churned sampler.
struct SeedDraws: Sendable {
  private enum Generator {
    case torchCPU(TorchCPUGenerator)
    case torchCUDA(TorchCUDAGenerator)
    case philox(Philox)
  }

  // What the numbers of a Philox stream are for.
  private enum Purpose {
    static let latents: UInt32 = 0
    static let classIndex: UInt32 = 1
    static let stepNoise: UInt32 = 2
  }

  private var generator: Generator

  init(_ convention: RandomConvention, seed: UInt64) {
    switch convention {
    case .torchCPU: generator = .torchCPU(TorchCPUGenerator(seed: seed))
    case .torchCUDA: generator = .torchCUDA(TorchCUDAGenerator(seed: seed))
    case .philox: generator = .philox(Philox(seed: seed))
    }
  }

  /// Standard normals in the order [C, H, W]; the first draw.
  mutating func latents(_ count: Int) -> [Float] {
    switch generator {
    case .torchCPU(var torch):
      defer { generator = .torchCPU(torch) }
      return torch.normals(count)
    case .torchCUDA(var torch):
      defer { generator = .torchCUDA(torch) }
      return torch.normals(count)
    case .philox(let philox): return philox.normals(count, stream: (0, Purpose.latents))
    }
  }

  /// A class; the second draw, made even where another class is chosen.
  mutating func classIndex(below bound: Int) -> Int {
    switch generator {
    case .torchCPU(var torch):
      defer { generator = .torchCPU(torch) }
      return torch.integers(1, below: bound)[0]
    case .torchCUDA(var torch):
      defer { generator = .torchCUDA(torch) }
      return torch.integer(below: bound)
    case .philox(let philox): return philox.integer(below: bound, stream: (0, Purpose.classIndex))
    }
  }

  /// Standard normals in the order [C, H, W] for one step, asked for step by step.
  mutating func noise(step: Int, _ count: Int) -> [Double] {
    switch generator {
    case .torchCPU(var torch):
      defer { generator = .torchCPU(torch) }
      // The official sampler's state is float64, and so is the noise that it asks for.
      return torch.doubleNormals(count)
    case .torchCUDA: preconditionFailure("torch-cuda with fresh noise; RandomConvention.validate refuses it")
    case .philox(let philox): return philox.normals(count, stream: (UInt64(step), Purpose.stepNoise)).map(Double.init)
    }
  }
}
