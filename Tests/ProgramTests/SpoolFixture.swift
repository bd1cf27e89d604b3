import Foundation
import TestSupport
import Testing

/// A spool with a daemon of its own and stage programs that are shell scripts.
final class SpoolFixture {
  let folder: TemporaryFolder
  private var daemons: [Process] = []

  var spool: String { folder.file("spool") }

  /// A script that behaves as stages do: it reports ten units on descriptor 3, resumes where a checkpoint says, and
  /// publishes its output and then its record by renames. `behaviour` runs before each unit with `$i` (the unit), `$name`
  /// (the step) and `$try` (how often the step was started).
  static func script(secondsPerUnit: Double, behaviour: String) -> String {
    """
    #!/bin/sh
    for argument in "$@"; do case "$argument" in --output=*) output=${argument#--output=};; esac; done
    name=${output%.*}
    echo "$(basename "$0")" "$@" >> ran.txt
    echo "$name" >> starts.txt
    try=$(grep -cx "$name" starts.txt)
    if [ -e "$name.json" ]; then echo "repeated $name" >> repeated.txt; exit 0; fi
    trap 'stopped=1' TERM
    # SIGTERM goes to the whole group: it may end mv before it has renamed, and also between the renaming and its exit.
    publish() { for again in 1 2 3; do [ ! -e "$1.partial" ] || mv "$1.partial" "$1"; done; [ ! -e "$1.partial" ]; }
    i=0
    [ -e "$name.checkpoint" ] && read -r i < "$name.checkpoint"
    while [ $i -lt 10 ]; do
      if [ -n "$stopped" ]; then echo "$(basename "$0"): $output: stopped" >&2; exit 75; fi
      if [ -n "$SID_PARENT_PID" ] && [ ! -d "/proc/$SID_PARENT_PID" ] && [ -z "$ORPHAN" ]; then exit 75; fi
      \(behaviour)
      i=$((i + 1))
      sleep \(secondsPerUnit)
      echo "$name $i" >> units.txt
      echo $i > "$name.checkpoint.partial"
      publish "$name.checkpoint"
      echo "{\\"stage\\":\\"x\\",\\"done\\":$i,\\"total\\":10,\\"unit\\":\\"images\\",\\"rate\\":1.5,\\"eta_s\\":null,\\"metrics\\":{}}" >&3
    done
    echo data > "$output.partial"; publish "$output"
    echo "{\\"stage\\":\\"x\\",\\"output\\":\\"$output\\",\\"figures\\":{\\"fd_$name\\":0.25},\\"archive\\":\\"$output\\",\\"files\\":[{\\"name\\":\\"$output\\",\\"sha256\\":\\"\(digest)\\"}]}" > "$name.json.partial"
    publish "$name.json"
    """
  }

  /// The SHA-256 of what such a script publishes.
  static let digest = "6667b2d1aab6a00caa5aee5af8ad9f1465e567abf1c209d15727d57b3e8f6e5f"

  /// A job of three steps for such programs.
  static let job = """
    job: three
    steps:
      - convert: { source: teacher.pkl, name: teacher }
      - sample: { seeds: 0-9 }
      - score: { samples: sample, reference: teacher.pkl, features: teacher.pkl }
    """

  init(secondsPerUnit: Double = 0.02, behaviour: String = ":") throws {
    folder = try TemporaryFolder()
    for name in ["programs", "inputs"] {
      try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
    }
    try write("input", to: "inputs/teacher.pkl")
    for program in ["sid-convert", "sid-train", "sid-distill", "sid-sample", "sid-score", "sid-report"] {
      try write(Self.script(secondsPerUnit: secondsPerUnit, behaviour: behaviour), to: "programs/\(program)")
      chmod(folder.file("programs/\(program)"), 0o755)
    }
  }

  deinit { for daemon in daemons where daemon.isRunning { kill(daemon.processIdentifier, SIGKILL) } }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
  }

  func read(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

  /// The lines of a file in a job's folder.
  func lines(_ path: String) -> [String] { read(path).split(separator: "\n").map(String.init) }

  // MARK: Programs

  /// Starts the daemon; its log is `daemon.err`.
  /// - Parameter user: for whom it runs, in place of the tests' own.
  @discardableResult
  func startDaemon(_ arguments: [String] = [], user: uid_t? = nil) throws -> Process {
    let daemon = Process()
    daemon.executableURL = URL(fileURLWithPath: Programs.path("sid-spoold"))
    daemon.arguments = daemonArguments + arguments
    if let user {
      daemon.arguments =
        ["--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", Programs.path("sid-spoold")] + daemonArguments
        + arguments
      daemon.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
    }
    let path = folder.file("daemon.err")
    if !FileManager.default.fileExists(atPath: path) { try write("", to: "daemon.err") }
    let log = try #require(FileHandle(forWritingAtPath: path))
    log.seekToEndOfFile()
    daemon.standardError = log
    daemon.standardInput = FileHandle.nullDevice
    try daemon.run()
    daemons.append(daemon)
    return daemon
  }

  var daemonArguments: [String] {
    [
      "--spool", spool, "--input-root", folder.file("inputs"), "--program-directory", folder.file("programs"),
      "--retry-base-seconds", "0.1", "--stop-timeout-seconds", "5",
    ]
  }

  var log: String { read(folder.file("daemon.err")) }

  func control(_ arguments: String...) throws -> Programs.Outcome {
    try Programs.run("sidctl", arguments + ["--spool", spool])
  }

  // MARK: Jobs

  /// Drops a job file by a rename.
  func drop(_ text: String, as name: String = "job.yaml") throws {
    try FileManager.default.createDirectory(atPath: spool + "/incoming", withIntermediateDirectories: true)
    try write(text, to: "spool/incoming/.\(name).tmp")
    rename("\(spool)/incoming/.\(name).tmp", "\(spool)/incoming/\(name)")
  }

  /// The folders of the jobs of a state.
  func jobs(_ state: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(spool)/\(state)")) ?? []).sorted().map {
      "\(spool)/\(state)/\($0)"
    }
  }

  func status(_ folder: String) throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/status.json"))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  /// Waits until something is so; the time is a limit for a broken program, not a measure.
  func wait(_ what: String, seconds: Double = 60, until isSo: () -> Bool) throws {
    let end = Date() + seconds
    while !isSo() {
      guard Date() < end else {
        Issue.record("waited \(seconds) s for \(what); the daemon's log:\n\(log)")
        throw CancellationError()
      }
      usleep(10_000)
    }
  }
}
