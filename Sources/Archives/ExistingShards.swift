import Diagnostics
import Foundation
import HDF5
import Records

/// What to do with shards that stand there before the work begins.
public struct ExistingShards: Sendable {
  /// Makes shards of other work again instead of refusing them.
  public var replacing: Bool
  /// Takes shards of the same work by another kernel set or program version.
  public var mixingKernels: Bool

  /// - Parameters:
  ///   - replacing: makes shards of other work again instead of refusing them.
  ///   - mixingKernels: takes shards of the same work by other kernels.
  public init(replacing: Bool = false, mixingKernels: Bool = false) {
    self.replacing = replacing
    self.mixingKernels = mixingKernels
  }

  /// Whether a shard is there, made from this work.
  /// - Throws: a `Failure` (`cannotCreate`) where another file has its name.
  func isFinished(_ plan: ShardPlan, _ shard: Int, provenance: String) throws -> Bool {
    let path = plan.path(shard)
    guard access(path, F_OK) == 0 else { return false }
    let problem: String
    let root = try? HDF5File.open(path).root
    if let root, let found = try? root.stringAttribute("provenance"),
      (try? root.intAttribute("shard_index")) == shard, (try? root.intAttribute("archive_images")) == plan.count
    {
      if found == provenance, (try? root.dataset("images").shape.first) == plan.images(shard).count { return true }
      problem = difference(provenance, found)
      if problem.isEmpty { return true }
    } else {
      problem = "is no shard of this archive"
    }
    if replacing { return false }
    throw Failure(
      .cannotCreate, path, "exists, but \(problem)",
      remedy: problem.hasPrefix("it was computed")
        ? "continue on a machine of that kind, or give --mixed-kernels" : "choose another --output, or give --overwrite"
    )
  }

  /// What keeps a shard from being used; empty if nothing does.
  private func difference(_ wanted: String, _ found: String) -> String {
    guard let wanted = Provenance(json: wanted), let found = Provenance(json: found) else {
      return "it was made from something else"
    }
    if let difference = wanted.difference(from: found) { return difference }
    if wanted.maker == found.maker || mixingKernels { return "" }
    return "it was computed by \(found.maker), and this is \(wanted.maker)"
  }
}
