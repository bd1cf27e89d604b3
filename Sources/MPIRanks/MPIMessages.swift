#if MPI
  import CMPI
  import Diagnostics
  import Foundation
  import Training

  /// Messages between the ranks of MPI_COMM_WORLD.
  ///
  /// All calls come from the thread that made it. While it waits it looks after the other ranks: one that has left, or whose
  /// process is gone, ends the waiting with an error. MPI alone would wait for ever.
  final class MPIMessages: Messages, @unchecked Sendable {
    let index: Int
    let count: Int
    /// The ranks whose processes can be looked after.
    private var watched: [(rank: Int, peer: Peer)] = []
    /// The ranks that have said that they end.
    private var left: Set<Int> = []

    /// Tells messages of an exchange from the word that a rank leaves.
    private enum Tag {
      static let exchange: Int32 = 0
      static let leaving: Int32 = 1
    }

    init() throws {
      var (rank, size): (Int32, Int32) = (0, 0)
      try Self.check(sid_mpi_start(&rank, &size), "start")
      (index, count) = (Int(rank), Int(size))
    }

    /// Looks after the processes that this one can see from here on.
    func watch(_ peers: [Peer]) {
      watched = peers.enumerated().filter { rank, peer in
        rank != index && peer.isNeighbour
      }.map { ($0, $1) }
    }

    func exchange<Word: MessageWord>(_ outgoing: [[Word]]) throws -> [[Word]] {
      precondition(outgoing.count == count, "a message for each rank")
      var incoming = outgoing
      try sending(outgoing, from: 0, requests: []) {
        var awaited = Set((0..<count).filter { $0 != index })
        var patience = Patience()
        while !awaited.isEmpty {
          var found = false
          for rank in awaited {
            guard let message: [Word] = try receive(from: rank) else { continue }
            incoming[rank] = message
            awaited.remove(rank)
            found = true
          }
          if found { patience = Patience() } else { try wait(&patience, for: awaited) }
        }
      }
      return incoming
    }

    /// Tells the other ranks that this one ends. Where they end, too, MPI is taken down in order; otherwise it is left to the
    /// system.
    func leave() {
      var requests: [sid_mpi_request] = []
      for rank in 0..<count where rank != index {
        var request = sid_mpi_request()
        guard sid_mpi_send(nil, 0, Int32(rank), Tag.leaving, &request) == 0 else { return }
        requests.append(request)
      }
      var awaited = Set((0..<count).filter { $0 != index })
      let end = ContinuousClock.now + .seconds(20)
      while !awaited.isEmpty {
        for rank in awaited where hasLeft(rank) { awaited.remove(rank) }
        for (rank, peer) in watched where awaited.contains(rank) && !peer.isThere { return }
        if ContinuousClock.now > end { return }
        usleep(1000)
      }
      for index in requests.indices {
        while (try? isDone(&requests[index])) == false { usleep(100) }
      }
      _ = sid_mpi_end()
    }

    // MARK: Sending

    /// Sends the messages from one rank on, runs `body`, and waits until all are gone. They stay in their place meanwhile.
    private func sending<Word: MessageWord>(
      _ outgoing: [[Word]], from rank: Int, requests: [(rank: Int, request: sid_mpi_request)], _ body: () throws -> Void
    ) throws {
      guard rank < count else {
        try body()
        var requests = requests
        var patience = Patience()
        while !requests.isEmpty {
          var left: [(rank: Int, request: sid_mpi_request)] = []
          for (rank, var request) in requests where try !isDone(&request) { left.append((rank, request)) }
          requests = left
          if !left.isEmpty { try wait(&patience, for: Set(left.map(\.rank))) }
        }
        return
      }
      guard rank != index else { return try sending(outgoing, from: rank + 1, requests: requests, body) }
      try outgoing[rank].withUnsafeBytes { bytes in
        var request = sid_mpi_request()
        try Self.check(
          sid_mpi_send(bytes.baseAddress, Int32(outgoing[rank].count), Int32(rank), Tag.exchange, &request),
          "send to rank \(rank)")
        try sending(outgoing, from: rank + 1, requests: requests + [(rank, request)], body)
      }
    }

    // MARK: Receiving

    /// The message of a rank, once it has come.
    private func receive<Word: MessageWord>(from rank: Int) throws -> [Word]? {
      var message = sid_mpi_message()
      var length: Int32 = 0
      try Self.check(sid_mpi_look(Int32(rank), Tag.exchange, &message, &length), "look for a message of rank \(rank)")
      guard length >= 0 else { return nil }
      return try [Word](unsafeUninitializedCapacity: Int(length)) { buffer, initialized in
        var request = sid_mpi_request()
        try Self.check(
          sid_mpi_receive(buffer.baseAddress, length, &message, &request), "receive from rank \(rank)")
        // Its sender is at work on it: no sleeping now.
        var patience = Patience(isAwake: true)
        while try !isDone(&request) { try wait(&patience, for: [rank]) }
        initialized = Int(length)
      }
    }

    private func isDone(_ request: inout sid_mpi_request) throws -> Bool {
      var flag: Int32 = 0
      try Self.check(sid_mpi_is_done(&request, &flag), "go on")
      return flag != 0
    }

    // MARK: Waiting

    /// How long something has been waited for.
    private struct Patience {
      /// Whether to look again and again without a pause.
      var isAwake = false
      private let start = ContinuousClock.now
      private var lastLooked = ContinuousClock.now

      init(isAwake: Bool = false) { self.isAwake = isAwake }

      /// Pauses, longer when it takes longer.
      /// - Returns: whether it is time to look after the other ranks.
      mutating func pause() -> Bool {
        let now = ContinuousClock.now
        if isAwake || now - start < .milliseconds(50) { sched_yield() } else { usleep(500) }
        guard now - lastLooked > .milliseconds(200) else { return false }
        lastLooked = now
        return true
      }
    }

    private func wait(_ patience: inout Patience, for ranks: Set<Int>) throws {
      guard patience.pause() else { return }
      // Who has left may have sent this message before: that was looked for once more since.
      for rank in ranks.sorted() where left.contains(rank) { throw Self.gone(rank, "has ended before its time") }
      for rank in ranks { _ = hasLeft(rank) }
      for (rank, peer) in watched where !peer.isThere { throw Self.gone(rank, "is gone: killed, or crashed") }
    }

    private func hasLeft(_ rank: Int) -> Bool {
      if left.contains(rank) { return true }
      var message = sid_mpi_message()
      var length: Int32 = 0
      guard sid_mpi_look(Int32(rank), Tag.leaving, &message, &length) == 0, length >= 0 else { return false }
      var request = sid_mpi_request()
      _ = sid_mpi_receive(nil, 0, &message, &request)
      left.insert(rank)
      return true
    }

    private static func gone(_ rank: Int, _ what: String) -> Failure {
      Failure(.temporaryFailure, "rank \(rank)", what, remedy: "the same command continues from the saved state")
    }

    private static func check(_ error: Int32, _ what: String) throws {
      guard error != 0 else { return }
      var text = [CChar](repeating: 0, count: 512)
      sid_mpi_error_text(error, &text, Int32(text.count))
      let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw Failure(
        .temporaryFailure, "MPI", "cannot \(what): \(reason)", remedy: "the same command continues from the saved state"
      )
    }
  }
#endif
