import Compute
import Diagnostics
import MPIRanks
import Stage
import Training

/// What of its machine a rank has.
public struct Place {
  /// Ranks on this machine.
  public let ranks: Int
  /// Of how many.
  public let allRanks: Int
  /// Worker threads of this rank.
  public let threads: Int

  /// A process by itself.
  public init(_ context: StageContext) { (ranks, allRanks, threads) = (1, 1, context.threads) }

  init(_ joined: any JoinedRanks, _ context: StageContext) {
    (ranks, allRanks) = (joined.machineCount, joined.count)
    threads = context.options.threads ?? max(1, context.threads / joined.processorSharers)
  }
}

extension Ranks {
  /// Refuses ranks that would not compute the same: on other kernels, from other inputs or another state.
  func requireSame(_ start: TrainingStart, origin: String) throws {
    try requireSame(
      "computes with the kernels", KernelSet.name, "set SID_KERNELS to the smaller set for all ranks")
    try requireSame(
      "was started for", start.wanted.json, "start all ranks with the same options, on the same files")
    try requireSame(
      "found in \(origin)", "\(start.state.imagesDone) images after \(start.progress.seconds) s",
      "let all ranks work in one folder that their machines share")
  }

  private func requireSame(_ relation: String, _ mine: String, _ remedy: String) throws {
    let all = try tell(Array(mine.utf8)).map { String(decoding: $0, as: UTF8.self) }
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    var failure = Failure(
      .usage, "rank \(other)", "\(relation) \(all[other]), rank 0 \(all[0])", remedy: remedy)
    failure.isTold = !isFirst
    throw failure
  }
}
