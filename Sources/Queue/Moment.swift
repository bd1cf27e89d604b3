import Foundation

/// When something happens, by both of the daemon's clocks.
package struct Moment: Sendable, Equatable {
  /// On a clock that never goes back; it begins with the daemon.
  package var seconds: Double
  /// By the calendar, which somebody may set.
  package var date: Date

  /// - Parameters: as the properties.
  package init(seconds: Double, date: Date) { (self.seconds, self.date) = (seconds, date) }
}
