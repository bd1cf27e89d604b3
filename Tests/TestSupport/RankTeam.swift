import Foundation
import Training

/// Several ranks in one process, each on a thread of its own, of which one runs at a time.
public final class RankTeam: @unchecked Sendable {
  private let condition = NSCondition()
  private let count: Int
  /// Who may run, and what each rank has put down for the exchange under way.
  private var running = 0
  private var deposits: [Int: [Any]] = [:]
  private var results: [[Any]] = []
  private var exchanges = 0
  private var isBroken = false
  private var traffic = Traffic()

  /// What was sent between ranks.
  public struct Traffic: Sendable, Equatable {
    /// Messages with anything in them, from one rank to another.
    public var messages = 0
    /// Their bytes.
    public var bytes = 0
  }

  private init(_ count: Int) { self.count = count }

  /// Another rank ended with an error.
  public struct Broken: Error {}

  /// The ranks exchanged different kinds of words.
  public struct Mixed: Error {}

  /// Runs `body` on each rank.
  /// - Returns: what each rank returned, in their order.
  /// - Throws: the first error of a rank that is not the consequence of another's.
  public static func run<Value>(_ count: Int, _ body: @escaping (any Ranks) throws -> Value) throws -> [Value] {
    try counting(count, body).values
  }

  /// The same with a count of what was sent.
  /// - Parameter bucket: the most numbers that are summed at a time.
  public static func counting<Value>(
    _ count: Int, bucket: Int = messageBucket, _ body: @escaping (any Ranks) throws -> Value
  ) throws -> (values: [Value], traffic: Traffic) {
    let team = RankTeam(count)
    let outcomes = Outcomes<Value>(count)
    let group = DispatchGroup()
    let body = Unchecked(body)
    for index in 0..<count {
      group.enter()
      let thread = Thread {
        team.wait(for: index)
        let outcome = Result {
          try body.value(MessageRanks(Member(team: team, index: index, count: count), bucket: bucket))
        }
        outcomes.set(index, outcome)
        team.end(index, isBroken: (try? outcome.get()) == nil)
        group.leave()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    group.wait()
    let all = outcomes.all
    for case .failure(let error) in all where !(error is Broken) { throw error }
    return (try all.map { try $0.get() }, team.traffic)
  }

  /// Sends messages to all ranks and takes those of all.
  fileprivate func exchange<Word: MessageWord>(_ index: Int, _ outgoing: [[Word]]) throws -> [[Word]] {
    condition.lock()
    defer { condition.unlock() }
    let number = exchanges
    deposits[index] = outgoing
    for (rank, message) in outgoing.enumerated() where rank != index && !message.isEmpty {
      traffic.messages += 1
      traffic.bytes += 4 * message.count
    }
    if deposits.count == count {
      results = (0..<count).map { deposits[$0] ?? [] }
      deposits = [:]
      exchanges += 1
    }
    running = (index + 1) % count
    condition.broadcast()
    while (exchanges == number || running != index) && !isBroken { condition.wait() }
    if isBroken { throw Broken() }
    return try results.map { messages in
      guard let message = messages[index] as? [Word] else { throw Mixed() }
      return message
    }
  }

  private func wait(for index: Int) {
    condition.lock()
    while running != index && !isBroken { condition.wait() }
    condition.unlock()
  }

  private func end(_ index: Int, isBroken: Bool) {
    condition.lock()
    self.isBroken = self.isBroken || isBroken
    running = (index + 1) % count
    condition.broadcast()
    condition.unlock()
  }

  private struct Member: Messages {
    let team: RankTeam
    let index: Int
    let count: Int

    func exchange<Word: MessageWord>(_ outgoing: [[Word]]) throws -> [[Word]] { try team.exchange(index, outgoing) }
  }

  private final class Outcomes<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var slots: [Result<Value, any Error>?]
    init(_ count: Int) { slots = Array(repeating: nil, count: count) }
    func set(_ index: Int, _ value: Result<Value, any Error>) { lock.withLock { slots[index] = value } }
    var all: [Result<Value, any Error>] { lock.withLock { slots.compactMap { $0 } } }
  }

  private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }
}
