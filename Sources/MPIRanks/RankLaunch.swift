import Diagnostics
import Foundation
import Stage
import Training

/// How this process was started: alone, or by a launcher as one of several ranks.
///
/// Open MPI's `mpirun` says so by OMPI_COMM_WORLD_SIZE, that of MPICH and its like by PMI_SIZE, `srun` by
/// SLURM_STEP_NUM_TASKS. MPI itself is asked only where one of them speaks of several: without a launcher no MPI is started.
public struct RankLaunch: Sendable {
  /// How many ranks the launcher speaks of; 1 where there is none.
  public let count: Int
  /// The variable that says so.
  let variable: String
  private let environment: [String: String]

  /// Whether this program can join others.
  public static var isBuiltIn: Bool {
    #if MPI
      true
    #else
      false
    #endif
  }

  /// - Parameter environment: of this process.
  /// - Throws: a `Failure` with status `usage` where a variable is no number, or `unavailable` where several processes were
  ///   started and this program was built without MPI: each would take itself for the only one.
  public init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    self.environment = environment
    var found = (count: 1, variable: "")
    for variable in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
      guard let count = try Self.number(variable, environment) else { continue }
      found = (count, variable)
      break
    }
    (count, variable) = found
    guard count == 1 || Self.isBuiltIn else {
      throw Failure(
        .unavailable, variable, "\(count) processes were started together, and this program was built without MPI",
        remedy: "install a package made with systemd/build-deb --mpi, or build it with --traits MPI;"
          + " unset \(variable) where each is a run of its own"
      )
    }
  }

  /// Whether this is rank 0, as far as the launcher says so before MPI is asked.
  public var isFirst: Bool {
    let number = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"].lazy.compactMap { environment[$0] }
      .first
    return !isParallel || number.flatMap { Int($0) } ?? 0 == 0
  }

  /// Whether there are several ranks.
  public var isParallel: Bool { count > 1 }

  /// What confines a rank.
  public var profile: StageProfile { isParallel ? .rank : .alone }

  /// Joins the other ranks.
  ///
  /// - Throws: a `Failure` (`usage`) where MPI and the launcher disagree about their number: processes that each take
  ///   themselves for the only one would write over each other.
  public func join() throws -> any JoinedRanks {
    guard isParallel else {
      try check(size: 1)
      return OneRank()
    }
    #if MPI
      let ranks = try MPIRanks(isConfined: environment[StageProfile.rootsVariable] != nil)
      do {
        try check(size: ranks.count)
      } catch var failure as Failure {
        failure.isTold = !ranks.isFirst
        ranks.leave()
        throw failure
      }
      return ranks
    #else
      preconditionFailure("refused at the start")
    #endif
  }

  /// Refuses a number of ranks that is not what the launcher said.
  func check(size: Int) throws {
    guard size == count else { throw disagreement(variable, count, size) }
    guard let tasks = try Self.number("SLURM_STEP_NUM_TASKS", environment), tasks != size, !isTaskOfLauncher(tasks)
    else {
      return
    }
    throw disagreement("SLURM_STEP_NUM_TASKS", tasks, size)
  }

  /// Whether the step of Slurm that this process runs in is not that of the ranks, but of the shell in which `mpirun` was
  /// called (one task), or of the daemons that `mpirun` has started on its nodes.
  private func isTaskOfLauncher(_ tasks: Int) -> Bool {
    guard environment["OMPI_COMM_WORLD_SIZE"] != nil else { return false }
    if tasks == 1 { return true }
    guard let task = environment["SLURM_TASK_PID"].flatMap({ Int32($0) }),
      let name = try? String(contentsOfFile: "/proc/\(task)/comm", encoding: .utf8)
    else { return false }
    return ["orted", "prted"].contains(name.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  private func disagreement(_ variable: String, _ expected: Int, _ size: Int) -> Failure {
    Failure(
      .usage, variable, "the launcher started \(expected) processes, MPI knows of \(size)",
      remedy: "start them with the mpirun of the MPI that this program was built with, or with srun --mpi=pmix")
  }

  private static func number(_ variable: String, _ environment: [String: String]) throws -> Int? {
    guard let text = environment[variable] else { return nil }
    guard let number = Int(text), number > 0 else {
      throw Failure(.usage, variable, "a number of processes was expected, found \"\(text.prefix(100))\"")
    }
    return number
  }
}

/// Ranks that this process has joined, and what it has to know of the others besides.
public protocol JoinedRanks: Ranks {
  /// Ranks on this machine.
  var machineCount: Int { get }
  /// Ranks on this machine that may use the very processors that this one may use.
  var processorSharers: Int { get }
  /// Tells the others that this rank ends, and waits a moment for them to do the same.
  func leave()
}

/// A process that nobody else trains with.
extension OneRank: JoinedRanks {
  /// 1.
  public var machineCount: Int { 1 }
  /// 1.
  public var processorSharers: Int { 1 }
  /// Nothing to do.
  public func leave() {}
}
