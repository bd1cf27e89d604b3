import ArgumentParser
import Diagnostics

/// A program of this package, seen from its command line.
///
/// In the place of ArgumentParser's own `main`, which counts help that could not be written as given.
public protocol CommandLineProgram: ParsableCommand {}

extension CommandLineProgram {
  /// Parses the command line and runs what it names.
  public static func main() {
    StandardStreams.prepare()
    do {
      var command = try parseAsRoot()
      try command.run()
      try StandardOutput.check()
    } catch let failure as Failure {
      end(failure)
    } catch {
      // Help and versions come as errors, too.
      guard exitCode(for: error).isSuccess else { exit(withError: error) }
      let text = fullMessage(for: error)
      if !text.isEmpty { print(text) }
      do { try StandardOutput.check() } catch let failure as Failure { end(failure) } catch { exit(withError: error) }
      exit()
    }
  }

  private static func end(_ failure: Failure) -> Never {
    StandardError.write("\(configuration.commandName ?? "\(Self.self)"): \(failure)\n")
    exit(withError: ExitCode(failure.status.rawValue))
  }
}
