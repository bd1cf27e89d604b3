import Foundation

/// The programs of this package as they were built, run as a user runs them.
public enum Programs {
  /// What a program left behind.
  public struct Outcome: Sendable {
    /// The exit status; 128 plus the number of the signal that ended it.
    public let status: Int32
    /// Everything on standard output.
    public let output: String
    /// Everything on standard error.
    public let errors: String

    /// What a program left that was run in another way than by `run`.
    public init(status: Int32, output: String, errors: String) {
      (self.status, self.output, self.errors) = (status, output, errors)
    }
  }

  /// The path of a built program: beside the running tests. An absolute path is itself.
  public static func path(_ name: String) -> String {
    if name.hasPrefix("/") { return name }
    let tests =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent(name).path
    if FileManager.default.isExecutableFile(atPath: beside) { return beside }
    return Fixtures.repository + "/.build/release/" + name
  }

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - name: the program's name, `sid-convert` for example, or the path of another one.
  ///   - arguments: without the program's name.
  ///   - environment: added to this process's environment.
  ///   - folder: its working folder; this process's unless given.
  ///   - input: what it reads on standard input.
  /// - Throws: where it cannot be started.
  public static func run(
    _ name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil,
    input: String = ""
  ) throws -> Outcome {
    let scratch = try TemporaryFolder()
    // Files, because a pipe that nobody empties would stop the program.
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path(name))
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    func sink(_ name: String) throws -> FileHandle {
      try Data().write(to: URL(fileURLWithPath: scratch.file(name)))
      return try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file(name)))
    }
    try Data(input.utf8).write(to: URL(fileURLWithPath: scratch.file("input")))
    process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: scratch.file("input")))
    process.standardOutput = try sink("output")
    process.standardError = try sink("errors")
    try process.run()
    process.waitUntilExit()
    func text(_ name: String) -> String {
      String(decoding: FileManager.default.contents(atPath: scratch.file(name)) ?? Data(), as: UTF8.self)
    }
    let isSignal = process.terminationReason == .uncaughtSignal
    return Outcome(
      status: process.terminationStatus + (isSignal ? 128 : 0), output: text("output"), errors: text("errors"))
  }
}
