import Compute
import Distillation
import TestSupport

extension Recorded {
  /// The draws of the official pipeline, in call order: `names` of `group` are its data sets.
  func augmentationDraws(_ group: String, _ names: [String], _ pipeline: AugmentationPipeline) throws
    -> [AugmentationDraws]
  {
    var remaining = try names.sorted().map { try tensor(group + "/" + $0).values }[...]
    let images = remaining.first?.count ?? 0
    func next() -> [Float] { remaining.popFirst() ?? [] }
    var draws = [AugmentationDraws](repeating: .init(), count: images)
    func take(_ set: (inout AugmentationDraws, Float) -> Void) {
      for (n, value) in next().enumerated() { set(&draws[n], value) }
    }
    if pipeline.xFlip > 0 {
      take { $0.xFlip = $1 == 1 }
      take { $0.xFlipChance = $1 }
    }
    if pipeline.yFlip > 0 {
      take { $0.yFlip = $1 == 1 }
      take { $0.yFlipChance = $1 }
    }
    if pipeline.scale > 0 {
      take { $0.scale = $1 }
      take { $0.scaleChance = $1 }
    }
    if pipeline.rotation > 0 {
      take { $0.rotation = $1 }
      take { $0.rotationChance = $1 }
    }
    if pipeline.anisotropy > 0 {
      take { $0.anisotropy = $1 }
      take { $0.anisotropyAngle = $1 }
      take { $0.anisotropyChance = $1 }
      take { $0.anisotropyAngleChance = $1 }
    }
    if pipeline.translation > 0 {
      let both = next()
      draws = Array(draws.prefix(both.count / 2))
      for n in draws.indices { draws[n].translation = (both[n], both[draws.count + n]) }
      take { $0.translationChance = $1 }
    }
    precondition(remaining.isEmpty, "\(group): \(remaining.count) draws are left")
    return draws
  }
}
