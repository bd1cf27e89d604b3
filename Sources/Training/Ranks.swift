import Diagnostics

/// The processes that train together, of which each computes some groups of every batch.
///
/// Every function is called by all ranks, in the same order. One process is the case of one rank.
public protocol Ranks: Sendable {
  /// The number of this rank; rank 0 writes the files.
  var index: Int { get }
  /// How many there are.
  var count: Int { get }
  /// The sum over what all ranks have, the same bits on each of them.
  func sum(_ mine: GradientSum) throws -> GradientSum
  /// What all ranks have, on rank 0, for saving; each of the others keeps its own.
  func gather(_ mine: GradientSum) throws -> GradientSum
  /// The numbers of all ranks, in their order, on rank 0; nothing on the others.
  func collect(_ mine: [Float]) throws -> [[Float]]
  /// What every rank says, in their order, on every rank.
  func tell(_ mine: [UInt8]) throws -> [[UInt8]]
}

extension Ranks {
  /// Whether this is the rank that writes files and talks to the user.
  public var isFirst: Bool { index == 0 }

  /// Whether any rank says so.
  public func agree(_ mine: Bool) throws -> Bool { try tell([mine ? 1 : 0]).contains([1]) }

  /// What rank 0 has.
  public func broadcast(_ bytes: [UInt8]) throws -> [UInt8] { try tell(isFirst ? bytes : [])[0] }

  /// Does what may fail on some ranks and not on others: where it fails on one, it fails on all.
  ///
  /// - Returns: what this rank's own work returned.
  /// - Throws: this rank's own error; where it has none, a `Failure` (`temporaryFailure`) that names the rank that has and tells it
  ///   itself, or `Interrupted` where that was asked to stop. An error that several ranks have word for word is told by the
  ///   first.
  public func together<Value>(_ work: () throws -> Value) throws -> Value {
    let outcome = Result(catching: work)
    let reason: String? =
      switch outcome {
      case .success: nil
      case .failure(let error as Failure): "\(error)"
      case .failure(is Interrupted): ""
      case .failure(let error): "internal error: \(error)"
      }
    // One byte tells an empty reason from none.
    let reasons = try tell(reason.map { [1] + Array($0.utf8) } ?? []).map { bytes in
      bytes.isEmpty ? nil : String(decoding: bytes.dropFirst(), as: UTF8.self)
    }
    guard let first = reasons.firstIndex(where: { $0 != nil }), let why = reasons[first] else {
      return try outcome.get()
    }
    switch outcome {
    case .success where why.isEmpty: throw Interrupted()
    case .success:
      var failure = Failure(.temporaryFailure, "rank \(first)", "ended: \(why)")
      failure.isTold = true
      throw failure
    case .failure(var failure as Failure):
      failure.isTold = first < index && why == reason
      throw failure
    case .failure(let error): throw error
    }
  }
}

/// A process by itself.
public struct OneRank: Ranks {
  /// Nothing to set.
  public init() {}

  /// 0.
  public var index: Int { 0 }
  /// 1.
  public var count: Int { 1 }
  /// The same.
  public func sum(_ mine: GradientSum) -> GradientSum { mine }
  /// The same.
  public func gather(_ mine: GradientSum) -> GradientSum { mine }
  /// The same alone.
  public func collect(_ mine: [Float]) -> [[Float]] { [mine] }
  /// The same alone.
  public func tell(_ mine: [UInt8]) -> [[UInt8]] { [mine] }
}
