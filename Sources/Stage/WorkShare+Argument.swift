import ArgumentParser
import Files

extension WorkShare: ExpressibleByArgument {
  /// `i/n`.
  public init?(argument: String) { self.init(argument) }
}
