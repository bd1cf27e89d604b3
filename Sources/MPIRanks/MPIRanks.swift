#if MPI
  import CMPI
  import Diagnostics
  import Foundation
  import Stage
  import Training

  /// The ranks of MPI_COMM_WORLD.
  struct MPIRanks: JoinedRanks {
    private let messages: MPIMessages
    private let ranks: MessageRanks<MPIMessages>
    let machineCount: Int
    let processorSharers: Int

    /// Starts MPI, and learns who the others are.
    init(isConfined: Bool) throws {
      // What Landlock keeps from a rank: reading another's memory.
      if isConfined { setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0) }
      messages = try MPIMessages()
      ranks = MessageRanks(messages)
      let peers = try ranks.tell(Array(JSONEncoder().encode(Peer.this))).map {
        try JSONDecoder().decode(Peer.self, from: Data($0))
      }
      let here = peers.filter { $0.machine == Peer.this.machine }
      machineCount = here.count
      processorSharers = here.count { $0.processors == Peer.this.processors }
      messages.watch(peers)
    }

    var index: Int { ranks.index }
    var count: Int { ranks.count }
    func sum(_ mine: GradientSum) throws -> GradientSum { try ranks.sum(mine) }
    func gather(_ mine: GradientSum) throws -> GradientSum { try ranks.gather(mine) }
    func collect(_ mine: [Float]) throws -> [[Float]] { try ranks.collect(mine) }
    func tell(_ mine: [UInt8]) throws -> [[UInt8]] { try ranks.tell(mine) }
    func leave() { messages.leave() }
  }

  /// A rank as the others know it.
  struct Peer: Codable {
    /// The boot of the machine that it runs on.
    let machine: String
    /// Its number, and among which processes it is one.
    let process: Int32
    let processNamespace: String?
    /// Which processors it may use.
    let processors: String

    static let this = Peer(
      machine: (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))
        ?? ProcessInfo.processInfo.hostName,
      process: getpid(),
      processNamespace: try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid"),
      processors: Machine.allowedProcessors)

    /// Whether its process can be seen from this one.
    var isNeighbour: Bool {
      machine == Self.this.machine && processNamespace != nil && processNamespace == Self.this.processNamespace
    }

    /// Whether a neighbour's process is there.
    var isThere: Bool { kill(process, 0) == 0 || errno != ESRCH }
  }
#endif
