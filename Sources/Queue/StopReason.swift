/// Why a step at work was told to stop.
package enum StopReason: Equatable, Sendable {
  /// The daemon stops.
  case shutdown
  /// A job of higher priority takes the slot.
  case preemption
  /// This user put the job aside.
  case hold(user: String)
  /// This user gave the job up.
  case cancel(user: String)
  /// It has run for longer than it may.
  case timeout(seconds: Double)

  /// Which of two reasons counts: the heavier.
  var weight: Int {
    switch self {
    case .preemption: 0
    case .shutdown: 1
    case .timeout: 2
    case .hold: 3
    case .cancel: 4
    }
  }
}
