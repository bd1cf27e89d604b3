import Foundation
import HDF5
import Processor
import TestSupport
import Testing

/// An emulator of processors that lack what this one has, `qemu-user` of Debian.
enum Emulator {
  /// The program; nil where it is not installed.
  static let path: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/qemu-x86_64" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// Whether a run without it counts as failed: `pipeline/test` installs it where the processor has AVX-512.
  static let isRequired = ProcessInfo.processInfo.environment["SID_REQUIRE_EMULATOR"] != nil

  /// Runs a program on an emulated processor, of which the emulator says on stderr what it cannot do.
  static func run(_ processor: String, _ program: String, _ arguments: [String], environment: [String: String] = [:])
    throws -> Programs.Outcome
  {
    let outcome = try Programs.run(
      try #require(path), ["-cpu", processor, Programs.path(program)] + arguments, environment: environment)
    let errors = outcome.errors.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("qemu-x86_64: warning: ") }
    return Programs.Outcome(status: outcome.status, output: outcome.output, errors: errors.joined(separator: "\n"))
  }
}

/// Which kernels compute, and what a user sees of it.
@Suite("Kernel sets")
struct KernelSetTests {
  let folder: TemporaryFolder
  let network: String
  static let sets = InstructionSet.allCases.filter(\.isSupported)

  init() throws {
    folder = try TemporaryFolder()
    network = folder.file("network.h5")
    try writeNetwork(try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl"), network)
  }

  private func arguments(_ output: String, _ more: [String] = []) -> [String] {
    ["--network", network, "--seeds", "0-5", "--output", folder.file(output)] + more
  }

  private func images(_ name: String) throws -> [UInt8] {
    try HDF5File.open(folder.file(name)).root.dataset("images").read(UInt8.self)
  }

  private func kernels(_ name: String) throws -> String {
    let provenance = try HDF5File.open(folder.file(name)).root.stringAttribute("provenance")
    let object = try JSONSerialization.jsonObject(with: Data(provenance.utf8)) as? [String: Any]
    return try #require(object?["kernels"] as? String)
  }

  @Test("The widest set that the processor has computes, and the provenance names it")
  func choosesTheWidest() throws {
    let outcome = try Programs.run("sid-sample", arguments("a.h5"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let set = ProcessInfo.processInfo.environment[InstructionSet.variable] ?? Self.sets.last?.rawValue
    #expect(try kernels("a.h5") == "\(set ?? "") fast")
  }

  @Test("A set that is named computes: its images differ by rounding alone, and what it began is its own")
  func forcesASet() throws {
    var made: [[UInt8]] = []
    for set in Self.sets {
      let outcome = try Programs.run(
        "sid-sample", arguments("\(set.rawValue).h5"), environment: [InstructionSet.variable: set.rawValue])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try kernels("\(set.rawValue).h5") == "\(set.rawValue) fast")
      made.append(try images("\(set.rawValue).h5"))
    }
    for other in made.dropFirst() {
      let differences = zip(made[0], other).map { abs(Int($0) - Int($1)) }
      #expect(differences.allSatisfy { $0 <= 1 } && differences.count { $0 != 0 } * 200 <= differences.count)
    }
  }

  @Test("Names that are no set's are refused", arguments: ["", "avx2", "x86-64-v2", "x86-64-v3 "])
  func refusesNames(name: String) throws {
    let outcome = try Programs.run(
      "sid-sample", arguments("a.h5"), environment: [InstructionSet.variable: name])
    #expect(outcome.status == 64)
    #expect(
      outcome.errors.hasPrefix("sid-sample: SID_KERNELS: no kernels are called \"\(name)\"; leave it out or use "))
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
  }

  #if arch(x86_64)
    @Test(
      "On a processor without AVX-512 the same program computes what the smaller set does here, and refuses the larger",
      .enabled(if: InstructionSet.v4.isSupported && (Emulator.path != nil || Emulator.isRequired)))
    func runsWithoutAVX512() throws {
      for mode in ["fast", "exact"] {
        let native = try Programs.run(
          "sid-sample", arguments("native-\(mode).h5", ["--kernels", mode]), environment: ["SID_KERNELS": "x86-64-v3"])
        #expect(native.status == 0, "\(native.errors)")
        let emulated = try Emulator.run("Haswell", "sid-sample", arguments("emulated-\(mode).h5", ["--kernels", mode]))
        #expect(emulated.status == 0, "\(emulated.errors)")
        #expect(try kernels("emulated-\(mode).h5") == "x86-64-v3 \(mode)")
        #expect(try images("emulated-\(mode).h5") == images("native-\(mode).h5"))
      }
      let refused = try Emulator.run(
        "Haswell", "sid-sample", arguments("b.h5"), environment: ["SID_KERNELS": "x86-64-v4"])
      #expect(refused.status == 69)
      #expect(refused.errors.hasPrefix("sid-sample: SID_KERNELS: this processor lacks AVX-512"), "\(refused.errors)")
    }

    @Test(
      "On a processor without AVX2 every program says so", .enabled(if: Emulator.path != nil || Emulator.isRequired),
      arguments: ["sid-sample", "sid-score", "sid-convert", "sid-train", "sid-distill", "sid-bench"])
    func refusesOldProcessors(program: String) throws {
      let arguments = [
        "sid-sample": arguments("a.h5"), "sid-convert": ["list", network], "sid-bench": ["--cpu"],
        "sid-score": ["merge", network, "--output", folder.file("m.h5")],
        "sid-train": ["--dataset", network, "--output", folder.file("t.h5"), "--state", folder.file("s.h5")],
        "sid-distill": ["--teacher", network, "--output", folder.file("g.h5"), "--state", folder.file("s.h5")],
      ]
      let outcome = try Emulator.run("Nehalem", program, try #require(arguments[program]))
      #expect(outcome.status == 69, "\(outcome.errors)")
      #expect(
        outcome.errors
          == "\(program): processor: it lacks AVX2 and FMA, which every kernel needs; use an x86-64-v3 machine\n")
    }

    @Test(
      "The kernels' own tests hold without AVX-512",
      .enabled(if: InstructionSet.v4.isSupported && (Emulator.path != nil || Emulator.isRequired)))
    func kernelTestsWithoutAVX512() throws {
      let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let outcome = try Programs.run(
        try #require(Emulator.path),
        ["-cpu", "Haswell", tests, "--testing-library", "swift-testing", "--filter", "KernelsTests.*KernelsTests"])
      #expect(outcome.status == 0, "\(outcome.output.suffix(2000))\(outcome.errors.suffix(2000))")
      #expect(outcome.errors.contains(/Test run with [1-9]\d* tests in \d+ suites passed/), "\(outcome.errors)")
    }
  #endif
}
