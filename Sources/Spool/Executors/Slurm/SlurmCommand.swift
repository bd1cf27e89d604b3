import Diagnostics
import Foundation

/// What a command of Slurm has said.
package struct SlurmAnswer: Sendable, Equatable {
  /// How it ended; nil where its time was over, and what it has done is not known.
  package var status: Int32?
  /// What it printed, as far as it fits.
  package var output: String
  /// What it complained of, in one line.
  package var complaint: String

  /// - Parameters: as the properties.
  package init(status: Int32?, output: String = "", complaint: String = "") {
    (self.status, self.output, self.complaint) = (status, output, complaint)
  }

  var isSuccess: Bool { status == 0 }
}

/// Speaks to Slurm: `sbatch`, `squeue`, `scontrol`, `scancel`, `sacct`.
package protocol SlurmCommands: AnyObject {
  /// Runs a command to its end.
  /// - Parameter lock: a descriptor that it holds for as long as it lives.
  /// - Throws: a `Failure`, `unavailable` where it is not installed here.
  func run(_ command: [String], holding lock: Int32?) throws -> SlurmAnswer

  /// Begins a question that `answer` tells the answer to; one at a time.
  func ask(_ command: [String]) throws
  /// The answer, once it is there.
  func answer() -> SlurmAnswer?
  /// Becomes readable when it may be.
  var descriptor: Int32? { get }
}

/// Speaks to Slurm by its programs, found by PATH.
package final class SlurmPrograms: SlurmCommands {
  /// Shorter than half of what the service manager waits for the daemon.
  private static let mostSeconds = 20.0
  private var question: SlurmProcess?

  /// Nothing is asked before it is to be.
  package init() {}

  package func run(_ command: [String], holding lock: Int32?) throws -> SlurmAnswer {
    let process = try SlurmProcess(command, holding: lock, mostSeconds: Self.mostSeconds)
    while true {
      if let answer = process.answer() { return answer }
      process.wait()
    }
  }

  package func ask(_ command: [String]) throws {
    question = try SlurmProcess(command, holding: nil, mostSeconds: Self.mostSeconds)
  }

  package func answer() -> SlurmAnswer? {
    guard let answer = question?.answer() else { return nil }
    question = nil
    return answer
  }

  package var descriptor: Int32? { question?.output }
}

/// A command of Slurm at work. No shell is between, what it prints is bounded, and it ends in time.
private final class SlurmProcess {
  private static let mostBytes = 16 << 20

  private let process: pid_t
  private let deadline: ContinuousClock.Instant
  let output: Int32
  private let errors: Int32
  private var outputBytes: [UInt8] = []
  private var errorBytes: [UInt8] = []
  private var isOver = false

  init(_ command: [String], holding lock: Int32?, mostSeconds: Double) throws {
    let name = command[0]
    let out = try ChildProcess.pipe(for: name)
    defer { close(out.writing) }
    do {
      let err = try ChildProcess.pipe(for: name)
      defer { close(err.writing) }
      do {
        process = try ChildProcess.start(
          name, Array(command.dropFirst()), environment: Self.environment,
          // It holds the lock without knowing.
          descriptors: [out.writing, err.writing] + (lock.map { [$0] } ?? []),
          remedy: "install Slurm's programs (slurm-client) on this machine, in the daemon's PATH")
      } catch {
        close(err.reading)
        throw error
      }
      errors = err.reading
    } catch {
      close(out.reading)
      throw error
    }
    output = out.reading
    deadline = .now + .seconds(mostSeconds)
  }

  deinit {
    if !isOver { end() }
    close(output)
    close(errors)
  }

  /// Sleeps until it may have said something, or for a while.
  func wait() {
    var descriptors = [output, errors].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    poll(&descriptors, 2, 20)
    // One that has closed both is readable for ever.
    if descriptors.allSatisfy({ $0.revents & Int16(POLLHUP) != 0 }) { usleep(1000) }
  }

  /// What it has said, where it has ended or its time is over.
  func answer() -> SlurmAnswer? {
    read(output, into: &outputBytes)
    read(errors, into: &errorBytes)
    var status: Int32 = 0
    let ended = waitpid(process, &status, WNOHANG)
    if ended == 0, let patience = Self.patience(errorBytes) {
      // sbatch goes on asking by itself, for minutes; nothing was submitted.
      end()
      return SlurmAnswer(status: 1, complaint: patience)
    }
    if ended == 0 || (ended < 0 && errno == EINTR) {
      guard ContinuousClock.now >= deadline else { return nil }
      end()
      return SlurmAnswer(status: nil, complaint: "gave no answer in time")
    }
    isOver = true
    read(output, into: &outputBytes)
    read(errors, into: &errorBytes)
    let signal = status & 0x7F
    let lines = String(decoding: errorBytes, as: UTF8.self).split(separator: "\n").suffix(4)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    return SlurmAnswer(
      status: ended < 0 ? 70 : signal != 0 ? 128 + signal : status >> 8 & 0xFF,
      output: String(decoding: outputBytes, as: UTF8.self),
      complaint: String(lines.joined(separator: "; ").oneLine.prefix(600)))
  }

  /// What sbatch says when the queue is full and it waits.
  private static func patience(_ errors: [UInt8]) -> String? {
    guard !errors.isEmpty else { return nil }
    return String(decoding: errors, as: UTF8.self).split(separator: "\n").first { $0.contains("sleeping and retrying") }
      .map { String($0).oneLine }
  }

  private func end() {
    isOver = true
    kill(-process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
  }

  private func read(_ descriptor: Int32, into bytes: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes += buffer.prefix(min(count, max(0, Self.mostBytes - bytes.count)))
    }
  }

  /// What Slurm's programs, and by them the jobs, see of the daemon's environment.
  private static var environment: [String: String] {
    ChildProcess.environment(
      ["PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "TZ", "SLURM_CONF", "OPENBLAS_CORETYPE", "SID_KERNELS"],
      ["LC_ALL": "C.UTF-8"])
  }
}
