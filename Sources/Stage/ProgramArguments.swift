import Diagnostics
import Files
import Foundation

/// What stands on the command line and in the environment, as bytes: the names that the shell hands over are not always text,
/// and Swift replaces what it cannot read, so that a program would look for a file of another name.
public enum ProgramArguments {
  /// Refuses a command line that is not UTF-8.
  /// - Throws: a `Failure` with status `usage` that shows the argument.
  public static func requireText() throws {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index] else { return }
      guard String(validatingCString: argument) == nil else { continue }
      throw Failure(
        .usage, shown(argument), "the argument is not UTF-8",
        remedy: "rename the file, or give it a second name (ln -s) that is")
    }
  }

  /// The value of a variable of the environment; nil where it is not set.
  /// - Throws: a `Failure` with status `usage` where it is not UTF-8.
  public static func variable(_ name: String) throws -> String? {
    guard let value = getenv(name) else { return nil }
    guard let text = String(validatingCString: value) else {
      throw Failure(.usage, name, "its value \(shown(value)) is not UTF-8", remedy: "name a path that is")
    }
    return text
  }

  private static func shown(_ text: UnsafePointer<CChar>) -> String {
    ByteName(UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }).description
  }
}
