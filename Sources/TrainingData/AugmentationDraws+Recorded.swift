import Diagnostics
import HDF5

extension AugmentationDraws {
  /// The draws of the official pipeline, one data set a call, in the order of their names.
  /// - Throws: a `Failure` where there are more or fewer than the pipeline draws.
  package static func recorded(
    in group: HDF5Group, called name: String, names: [String]? = nil, images: Int, _ pipeline: AugmentationPipeline,
    path: String
  ) throws -> [AugmentationDraws] {
    var remaining = try (names ?? group.names).sorted().map { try group.dataset($0).read(Float.self) }[...]
    func next(_ count: Int) throws -> [Float] {
      // Normals stay far below that, and what is no number is not.
      guard let values = remaining.popFirst(), values.count == count, values.allSatisfy({ abs($0) <= 64 }) else {
        throw Failure(.dataError, path, "\(name) does not hold the draws of EDM's pipeline for \(images) images")
      }
      return values
    }
    var draws = [AugmentationDraws](repeating: .init(), count: images)
    func take(_ set: (inout AugmentationDraws, Float) -> Void) throws {
      for (n, value) in try next(images).enumerated() { set(&draws[n], value) }
    }
    if pipeline.xFlip > 0 {
      try take { $0.xFlip = $1 == 1 }
      try take { $0.xFlipChance = $1 }
    }
    if pipeline.yFlip > 0 {
      try take { $0.yFlip = $1 == 1 }
      try take { $0.yFlipChance = $1 }
    }
    if pipeline.scale > 0 {
      try take { $0.scale = $1 }
      try take { $0.scaleChance = $1 }
    }
    if pipeline.rotation > 0 {
      try take { $0.rotation = $1 }
      try take { $0.rotationChance = $1 }
    }
    if pipeline.anisotropy > 0 {
      try take { $0.anisotropy = $1 }
      try take { $0.anisotropyAngle = $1 }
      try take { $0.anisotropyChance = $1 }
      try take { $0.anisotropyAngleChance = $1 }
    }
    if pipeline.translation > 0 {
      let both = try next(2 * images)
      for n in draws.indices { draws[n].translation = (both[n], both[images + n]) }
      try take { $0.translationChance = $1 }
    }
    guard remaining.isEmpty else {
      throw Failure(.dataError, path, "\(name) holds \(remaining.count) draws more than EDM's pipeline makes")
    }
    return draws
  }
}
