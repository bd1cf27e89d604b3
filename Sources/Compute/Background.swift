import Foundation

/// A value that is computed on a thread of its own while its owner does something else.
public final class Background<Value: Sendable>: @unchecked Sendable {
  /// Guards `result` and tells of it.
  private let condition = NSCondition()
  private var result: Result<Value, any Error>?

  /// Starts computing.
  public init(_ compute: @escaping @Sendable () throws -> Value) {
    Thread.detachNewThread { [self] in
      let found = Result(catching: compute)
      condition.lock()
      result = found
      condition.broadcast()
      condition.unlock()
    }
  }

  /// Waits for the value; may be called again.
  /// - Throws: what computing it threw.
  public func value() throws -> Value {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let result { return try result.get() }
      condition.wait()
    }
  }
}
