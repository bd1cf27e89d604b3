import Diagnostics
import Files
import Foundation
import HDF5
import TestSupport
import Testing

/// Signals to programs that a shell started, with real processes.
@Suite("Signals", .serialized)
struct SignalTests {
  let fixture: SignalFixture
  let folder: TemporaryFolder

  init() throws {
    fixture = try SignalFixture.shared.get()
    folder = try TemporaryFolder()
  }

  @Test(
    "Stopped by each polite signal in turn before anything was done, every command goes on to the bytes of one run",
    arguments: SignalFixture.commands)
  func everyCommand(_ command: SignalFixture.Command) throws {
    func outputs(_ name: String) throws -> String {
      try fixture.outputs("\(command.name) \(name)".replacingOccurrences(of: " ", with: "-"), for: command)
    }
    let (whole, stopped) = (try outputs("whole"), try outputs("stopped"))
    let reference = try Programs.run(command.program, fixture.arguments(command, whole), folder: whole)
    try #require(reference.status == 0, "\(reference.errors)")
    for signal in PoliteSignals.all {
      let run = try StartedProgram(
        command.program, fixture.arguments(command, stopped), pending: signal, folder: stopped)
      let outcome = run.end()
      #expect(outcome.status == 75, "signal \(signal): \(outcome.status) \(outcome.errors)")
      #expect(outcome.errors.contains("stopped before it was finished"), "signal \(signal): \(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").last?.hasPrefix("\(command.program): ") == true)
      for name in command.outputs.prefix(1) {
        #expect(!FileManager.default.fileExists(atPath: "\(stopped)/\(name)"), "signal \(signal)")
      }
      if command.outputs.isEmpty { #expect(outcome.output.utf8.count < reference.output.utf8.count) }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: stopped).allSatisfy { !$0.hasSuffix(".partial") })
    }
    let last = try Programs.run(command.program, fixture.arguments(command, stopped), folder: stopped)
    #expect(last.status == 0, "\(last.errors)")
    for name in command.outputs {
      let expected = try #require(FileManager.default.contents(atPath: "\(whole)/\(name)"), "\(name)")
      #expect(FileManager.default.contents(atPath: "\(stopped)/\(name)") == expected, "\(name)")
    }
    if command.outputs.isEmpty && command.program != "sid-bench" { #expect(last.output == reference.output) }
  }

  @Test(
    "What would take hours ends when it is asked to",
    arguments: [
      ["--metrics", "kid", "--kid-subsets", "100000"], ["--bootstrap", "100000"],
    ])
  func endlessMetrics(_ more: [String]) throws {
    let run = try StartedProgram(
      "sid-score",
      [
        "--samples", fixture.file("kept.h5"), "--reference", fixture.file("other.h5"), "--features",
        fixture.file("features.h5"), "--output", folder.file("s.h5"),
      ] + more)
    try #require(run.wait { run.processorSeconds > 1.5 }, "\(run.errors)")
    try #require(run.process.isRunning)
    run.send(SIGUSR2)
    let outcome = run.end()
    #expect(outcome.status == 75, "\(outcome.errors)")
    #expect(outcome.errors.contains("s.h5: stopped before it was finished"))
  }

  @Test("A digest ends when it is asked to, and a file that is refused meanwhile does not crash the program")
  func digests() throws {
    // A hole of a terabyte, which takes an hour to be read.
    let large = folder.file("large.bin")
    try Data().write(to: URL(fileURLWithPath: large))
    truncate(large, 1 << 40)
    let converting = try StartedProgram("sid-convert", [large, "--output", folder.file("n.h5")])
    try #require(converting.wait { converting.processorSeconds > 0.3 })
    converting.send(SIGHUP)
    #expect(converting.end().status == 75)
    for _ in 0..<8 {
      let sampling = try StartedProgram(
        "sid-sample", ["--network", large, "--seeds", "0-3", "--output", folder.file("a.h5")])
      let outcome = sampling.end()
      #expect(outcome.status == 65, "\(outcome.errors)")
    }
  }

  /// Starts an archive of many parts, and waits until two of them are there.
  private func startSampling(
    _ name: String, ignoring: [Int32] = [], environment: [String: String] = [:]
  ) throws -> StartedProgram {
    let run = try StartedProgram(
      "sid-sample", samplingArguments(name), ignoring: ignoring, environment: environment)
    let parts = folder.file(".\(name).parts")
    let isUnderWay = run.wait {
      ((try? FileManager.default.contentsOfDirectory(atPath: parts)) ?? []).count { $0.hasSuffix(".h5") } >= 2
    }
    try #require(isUnderWay && run.process.isRunning, "\(run.errors)")
    return run
  }

  private func samplingArguments(_ name: String) -> [String] {
    [
      "--network", fixture.file("cond.h5"), "--seeds", "0-599", "--output", folder.file(name + ".h5"),
      "--checkpoint-images", "16",
    ]
  }

  @Test("What is ignored at the start stays ignored", arguments: PoliteSignals.all)
  func ignored(_ signal: Int32) throws {
    let run = try startSampling("a", ignoring: [signal])
    #expect(run.signals("SigIgn").contains(signal))
    for _ in 0..<3 { run.send(signal) }
    // The others still stop it, and what comes after is the same as ever.
    let other: Int32 = signal == SIGTERM ? SIGHUP : SIGTERM
    let outcome = run.end()
    #expect(outcome.status == 0, "\(outcome.errors)")
    let second = try startSampling("b", ignoring: [signal])
    second.send(other)
    #expect(second.end().status == 75)
    #expect(try Programs.run("sid-sample", samplingArguments("b")).status == 0)
    let files = ["a.h5", "b.h5"].map { FileManager.default.contents(atPath: folder.file($0)) }
    #expect(files[0] != nil && files[0] == files[1])
  }

  @Test("nohup keeps its promise")
  func nohup() throws {
    let script =
      "nohup \"$0\" \"$@\" >/dev/null 2>&1 & pid=$!; "
      + "while [ ! -e '\(folder.file(".a.parts/000000000016-000000000032.h5"))' ]; do sleep 0.01; done; "
      + "kill -HUP $pid; wait $pid"
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", script, Programs.path("sid-sample")] + samplingArguments("a")
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0)
    #expect(FileManager.default.fileExists(atPath: folder.file("a.h5")))
  }

  @Test("The limit of processor time is a stop, and the same command goes on")
  func processorLimit() throws {
    let arguments = [
      "--network", fixture.file("teacher.h5"), "--seeds", "0-499999", "--output", folder.file("a.h5"), "--threads", "1",
    ]
    let run = try StartedProgram("sid-sample", arguments, processorSeconds: 1)
    let outcome = run.end()
    #expect(outcome.status == 75, "\(outcome.errors)")
    let parts = try FileManager.default.contentsOfDirectory(atPath: folder.file(".a.parts"))
    #expect(parts.contains { $0.hasSuffix(".h5") })
    #expect(outcome.errors.contains("a.h5: stopped before it was finished"))
  }

  @Test("A second SIGINT ends a program at once, in the midst of an evaluation")
  func secondInterrupt() throws {
    // One evaluation of so many images takes the better part of a minute.
    let run = try StartedProgram(
      "sid-bench", ["--network", "cifar10", "--work", "sample", "--batch", "200", "--threads", "1"])
    try #require(run.wait { run.processorSeconds > 4 })
    run.send(SIGINT)
    try #require(run.wait { !run.signals("SigCgt").contains(SIGINT) })
    #expect(run.process.isRunning)
    run.send(SIGINT)
    #expect(run.end().status == 128 + SIGINT)
  }

  @Test("A server that waits for its next line is stopped")
  func server() throws {
    // An input that stays open and silent.
    let input = Pipe()
    let run = try StartedProgram(
      "sid-bench", ["--serve", "--work", "latency", "--network-file", fixture.file("teacher.h5")],
      input: input.fileHandleForReading)
    try #require(run.wait { run.output.contains("ready") })
    run.send(SIGXCPU)
    let outcome = run.end()
    #expect(outcome.status == 75, "\(outcome.errors)")
    try input.fileHandleForWriting.close()
  }

  // MARK: Started by a daemon

  @Test("A stage that follows a daemon is stopped by SIGUSR1, too, and not by word of a parent that is still there")
  func following() throws {
    let environment = ["SID_PARENT_PID": "\(getpid())"]
    let run = try startSampling("a", environment: environment)
    #expect(run.signals("SigCgt").isSuperset(of: PoliteSignals.all + [StartedProgram.parentDeathSignal]))
    run.send(StartedProgram.parentDeathSignal)
    #expect(run.end().status == 0)
    let second = try startSampling("b", environment: environment)
    second.send(SIGUSR1)
    #expect(second.end().status == 75)
  }

  @Test(
    "A stage dies with the process that started it, whatever was ignored or blocked",
    arguments: ["", "--ignore-signal=RTMIN+10", "--block-signal=RTMIN+10"])
  func orphaned(option: String) throws {
    let script =
      "SID_PARENT_PID=$$ env \(option) \"$0\" \"$@\" 2>'\(folder.file("errors"))' & echo $! >'\(folder.file("pid"))'; wait"
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments =
      ["-c", script, Programs.path("sid-sample")]
      + samplingArguments("a").map {
        $0 == "0-599" ? "0-99999" : $0
      }
    try shell.run()
    func wait(until isSo: () -> Bool) {
      let end = Date() + 60
      while !isSo(), Date() < end { usleep(5000) }
    }
    wait { access(folder.file(".a.parts/000000000016-000000000032.h5"), F_OK) == 0 }
    let text = try String(contentsOfFile: folder.file("pid"), encoding: .utf8)
    let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    kill(shell.processIdentifier, SIGKILL)
    shell.waitUntilExit()
    func errors() -> String { (try? String(contentsOfFile: folder.file("errors"), encoding: .utf8)) ?? "" }
    wait { errors().contains("stopped") }
    defer { kill(pid, SIGKILL) }
    #expect(errors().contains("a.h5: stopped before it was finished"))
    #expect(access(folder.file("a.h5"), F_OK) != 0)
  }

  @Test("Whoever ignores the end of children can start programs that have some")
  func ignoredChildren() throws {
    // A file of an old format is tried by a child first.
    let run = try StartedProgram(
      "sid-convert",
      [
        "verify", "--network", fixture.file("cond.h5"), "--vectors", Fixtures.path("golden/nets/edm_ddpmpp_cond.h5"),
      ], ignoring: [SIGCHLD])
    let outcome = run.end()
    #expect(outcome.status == 0, "\(outcome.errors)")
  }
}
