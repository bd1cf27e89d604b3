import Foundation
import HDF5
import TestSupport
import Testing

/// The digits job with few iterations, with `kill -9` of the daemon and of its stages while every one of them is at work.
@Suite("A job that is killed in every stage", .serialized)
struct JobKillTests {
  static let job = """
    job: small-digits
    steps:
      - convert: { source: digits/teacher.pkl, name: teacher }
      - convert: { source: digits/features.safetensors, config: digits/features.yaml, name: features }
      - reference: { dataset: digits/digits-8x8.zip, name: reference }
      - sample: { network: teacher, sampler: heun, steps: 6, seeds: 0-1199, checkpoint-images: 128, name: teacher-samples }
      - distill:
          teacher: teacher
          batch: 64
          microbatch: 32
          lr: 4e-4
          glr: 4e-4
          duration-kimg: 1.92
          state-kimg: 0.128
          dropout: 0.1
          augment: 0
          evaluate: true
          evaluate-kimg: 0.64
          evaluate-seeds: 50000-50255
          name: generator
      - sample: { network: generator, seeds: 0-14999, checkpoint-images: 1000, name: samples }
      - score: { samples: samples, figure: fd_one_step, name: score }
    """

  static let steps = ["teacher", "features", "reference", "teacher-samples", "generator", "samples", "score"]

  static var arguments: [String] {
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    return [
      "--input-root", Fixtures.digits(".."), "--program-directory", programs, "--max-attempts", "50",
      "--retry-base-seconds", "0.02",
    ]
  }

  /// The stage process that works on a step for a daemon, if one does.
  static func stage(of daemon: Process) -> (pid: pid_t, step: String)? {
    let tasks = "/proc/\(daemon.processIdentifier)/task"
    for task in (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? [] {
      let children = (try? String(contentsOfFile: "\(tasks)/\(task)/children", encoding: .utf8)) ?? ""
      for pid in children.split(separator: " ").compactMap({ pid_t($0) }) {
        let command = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline").map {
          String(decoding: $0, as: UTF8.self)
        }
        guard let output = command?.split(separator: "\0").first(where: { $0.hasPrefix("--output=") }) else { continue }
        return (pid, String(output.dropFirst("--output=".count).dropLast(".h5".count)))
      }
    }
    return nil
  }

  /// Checkpoints of a step so far: saves of the training state, or parts of an archive.
  static func checkpoints(_ spool: SpoolFixture, of step: String) -> Int {
    guard let folder = spool.jobs("active").first else { return 0 }
    if step == "generator" {
      return spool.lines(folder + "/log/generator.log").filter { $0.contains("saved at") }.count
    }
    let parts = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/.\(step).parts")) ?? []
    return parts.filter { $0.hasSuffix(".h5") }.count
  }

  static func bytes(_ folder: String, _ name: String) throws -> [UInt8] {
    try HDF5File.open(folder + "/" + name).root.dataset("images").read(UInt8.self)
  }

  @Test("ends in done/ with the bytes of an undisturbed run, and repeats no more than a checkpoint interval")
  func survives() throws {
    let undisturbed = try SpoolFixture()
    try undisturbed.drop(Self.job)
    try undisturbed.startDaemon(Self.arguments + ["--exit-when-idle"]).waitUntilExit()
    let expected = try #require(undisturbed.jobs("done").first, "\(undisturbed.log)")

    let spool = try SpoolFixture()
    try spool.drop(Self.job)
    var daemon = try spool.startDaemon(Self.arguments)
    // Each step is hit twice; the long ones more often, so that the daemon and the stages are killed ten times each.
    var hits: [(step: String, victim: String)] = []
    for step in Self.steps {
      let isLong = ["teacher-samples", "generator", "samples"].contains(step)
      for round in 0..<(isLong ? 6 : 2) {
        let victim = round % 2 == 0 ? "stage" : "daemon"
        var found: (pid: pid_t, step: String)?
        try spool.wait("a stage of \(step)") {
          found = Self.stage(of: daemon)
          return found?.step == step || spool.jobs("active").contains { access("\($0)/\(step).json", F_OK) == 0 }
            || !spool.jobs("done").isEmpty
        }
        guard let found, found.step == step else { continue }
        if isLong {
          // Each blow falls after a checkpoint more than the one before.
          try spool.wait("a checkpoint of \(step)") {
            Self.checkpoints(spool, of: step) > round || Self.stage(of: daemon)?.pid != found.pid
          }
        }
        usleep(UInt32.random(in: 0...(isLong ? 200_000 : 25_000)))
        guard let now = Self.stage(of: daemon), now.pid == found.pid else { continue }
        hits.append((step, victim))
        if victim == "stage" {
          kill(found.pid, SIGKILL)
          try spool.wait("the end of process \(found.pid)") { Self.stage(of: daemon)?.pid != found.pid }
        } else {
          kill(daemon.processIdentifier, SIGKILL)
          daemon.waitUntilExit()
          daemon = try spool.startDaemon(Self.arguments)
        }
      }
    }
    kill(daemon.processIdentifier, SIGKILL)
    daemon.waitUntilExit()
    try spool.startDaemon(Self.arguments + ["--exit-when-idle"]).waitUntilExit()

    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    #expect((spool.jobs("failed") + spool.jobs("queue") + spool.jobs("active") + spool.jobs("incoming")).isEmpty)
    for name in ["teacher-samples.h5", "samples.h5"] {
      let images = try Self.bytes(folder, name)
      #expect(try images == Self.bytes(expected, name), "\(name)")
      #expect(Set(images).count > 50, "\(name) holds pictures")
    }
    for name in Self.steps.map({ $0 + ".h5" }) {
      #expect(FileManager.default.contentsEqual(atPath: "\(folder)/\(name)", andPath: "\(expected)/\(name)"), "\(name)")
    }
    let (stages, daemons) = (hits.filter { $0.victim == "stage" }.count, hits.filter { $0.victim == "daemon" }.count)
    print(
      "kills: \(stages) of stages, \(daemons) of daemons; by step:",
      Dictionary(grouping: hits, by: \.step).mapValues(\.count))
    // Short stages may end before the blow; the long ones do not.
    #expect(stages >= 9 && daemons >= 9, "\(hits)")
    try checkRepeatedWork(spool, folder)
  }

  /// From the logs: a stage goes on from its last save or a later one, and the saves are an interval apart.
  private func checkRepeatedWork(_ spool: SpoolFixture, _ folder: String) throws {
    var (saved, resumptions) = (0, 0)
    for line in spool.lines(folder + "/log/generator.log") {
      if let match = line.firstMatch(of: #/saved at ([0-9]+) images/#), let images = Int(match.1) {
        #expect(images - saved <= 128, "an interval of \(images - saved) images: \(line)")
        saved = images
      } else if let match = line.firstMatch(of: #/going on at ([0-9]+) images/#), let images = Int(match.1) {
        // A save that was published just before its line was written counts as well.
        #expect(images >= saved && images <= saved + 128, "went on at \(images) after saving at \(saved)")
        saved = images
        resumptions += 1
      }
    }
    #expect(resumptions >= 3)
    // A part of the archive that was published is not made again, so what is repeated is less than a part.
    for step in ["teacher-samples", "samples"] {
      var last = 0
      for line in spool.lines(folder + "/log/\(step).log") {
        guard let match = line.firstMatch(of: #/continues after ([0-9]+) of/#), let images = Int(match.1) else {
          continue
        }
        #expect(images >= last, "\(step): \(line)")
        last = images
      }
      #expect(last > 0, "\(step) was never continued")
    }
  }
}
