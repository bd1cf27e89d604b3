import Diagnostics
import Distillation
import Foundation
import HDF5
import Models
import Processor
import Records
import TestSupport
import Testing
import Training

/// The programs that train as `mpirun` starts them, built with the trait MPI: SID_MPI_PROGRAMS names the folder that they were
/// built in, which `pipeline/test --mpi` makes.
@Suite(
  "Programs that train, under mpirun", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["SID_MPI_PROGRAMS"] != nil))
struct MPITests {
  let folder: TemporaryFolder
  private let program: String

  init() throws {
    folder = try TemporaryFolder()
    program = (ProcessInfo.processInfo.environment["SID_MPI_PROGRAMS"] ?? "") + "/sid-distill"
    for name in ["inputs", "job"] {
      try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: false)
    }
    let outcome = try Programs.run(
      "sid-convert", [Fixtures.digits("teacher.pkl"), "--output", folder.file("inputs/teacher.h5")])
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  /// Twenty iterations of 16 micro-batches.
  private func arguments(_ name: String, _ more: [String] = []) -> [String] {
    [
      "--teacher", folder.file("inputs/teacher.h5"), "--output", name + ".h5", "--state", name + ".state.h5",
      "--batch", "32", "--microbatch", "2", "--lr", "1e-4", "--glr", "1e-4", "--augment", "0", "--duration-kimg",
      "0.64",
    ] + more
  }

  private static let launcher = [
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_orte_abort_timeout": "10",
  ]

  /// A rank: does something first, becomes the program, and leaves its exit status in `status.RANK`.
  private static let rank = #"""
    #!/bin/sh
    trap : TERM
    before=$1; shift
    sh -c "$before
    exec \"\$0\" \"\$@\"" "$@"
    status=$?
    echo $status > "$STATUS_FOLDER/status.$OMPI_COMM_WORLD_RANK"
    exit $status
    """#

  /// Runs ranks in the job's folder. `before` is a shell's commands; `$$` is the rank's process there.
  private func run(
    _ ranks: Int, _ arguments: [String], environment: [String: String] = [:], before: String = "true",
    mount: String? = nil, of other: String? = nil
  ) throws -> Programs.Outcome {
    try Data(Self.rank.utf8).write(to: URL(fileURLWithPath: folder.file("rank.sh")))
    for rank in 0..<4 { unlink(folder.file("status.\(rank)")) }
    let mounted = mount.map { ["unshare", "-rm", "sh", "-c", $0, folder.file("job")] } ?? []
    return try Programs.run(
      "/usr/bin/env",
      mounted + ["mpirun", "--oversubscribe", "-n", "\(ranks)", "sh", folder.file("rank.sh"), before, other ?? program]
        + arguments,
      environment: Self.launcher.merging(environment) { $1 }.merging(["STATUS_FOLDER": folder.path]) { $1 },
      folder: folder.file("job"))
  }

  private func statuses(_ ranks: Int) -> [Int32?] {
    (0..<ranks).map { rank in
      (try? String(contentsOfFile: folder.file("status.\(rank)"), encoding: .utf8))
        .flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
  }

  /// The whole file of a generator.
  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.file("job/\(name).h5")))
  }

  private func alone(_ name: String, _ more: [String] = []) throws {
    let outcome = try Programs.run(program, arguments(name, more), folder: folder.file("job"))
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  @Test("The same file from 1, 2, 3 and 4 ranks of one and two threads")
  func ranks() throws {
    try alone("one")
    for (ranks, threads) in [(2, 1), (3, 2), (4, 1), (2, 2)] {
      let name = "\(ranks)-\(threads)"
      let outcome = try run(ranks, arguments(name, ["--threads", "\(threads)"]))
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try bytes(name) == bytes("one"), "\(name)")
      #expect(outcome.errors.contains("\(ranks) ranks, here \(ranks) of \(threads) threads, not confined"))
      #expect(outcome.errors.components(separatedBy: "saved at 640 images").count == 2, "rank 0 alone speaks")
    }
  }

  @Test("Adversarial training, past both thresholds: the same file from 1, 2 and 3 ranks")
  func adversarial() throws {
    let more = [
      "--adversarial", "--dataset", Fixtures.digits("digits-8x8.zip"), "--generator-start-kimg", "0.1",
      "--adversarial-start-kimg", "0.3",
    ]
    try alone("one", more)
    for ranks in [2, 3] {
      let name = "ranks-\(ranks)"
      let outcome = try run(ranks, arguments(name, more))
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try bytes(name) == bytes("one"), "\(name)")
    }
  }

  @Test("A teacher: the same file and the same log from 1, 2 and 3 ranks")
  func teacher() throws {
    let program = (self.program as NSString).deletingLastPathComponent + "/sid-train"
    try Data(SignalFixture.network.utf8).write(to: URL(fileURLWithPath: folder.file("inputs/network.yaml")))
    func arguments(_ name: String) -> [String] {
      [
        "--dataset", Fixtures.digits("digits-8x8.zip"), "--config", folder.file("inputs/network.yaml"),
        "--conditional", "--output", name + ".h5", "--state", name + ".state.h5", "--batch", "32", "--microbatch", "2",
        "--lr-rampup-kimg", "0.2", "--duration-kimg", "0.32", "--tick-kimg", "0.064",
      ]
    }
    /// The lines of a log without what depends on the time.
    func log(_ name: String) throws -> [[String: JSONValue]] {
      try String(contentsOfFile: folder.file("job/\(name).stats.jsonl"), encoding: .utf8).split(separator: "\n").map {
        try #require(JSONValue(json: Array($0.utf8))?.objectValue)
          .filter { !$0.key.hasPrefix("Timing/") && $0.key != "timestamp" }
      }
    }
    let alone = try Programs.run(program, arguments("one"), folder: folder.file("job"))
    try #require(alone.status == 0, "\(alone.errors)")
    for ranks in [2, 3] {
      let name = "ranks-\(ranks)"
      let outcome = try run(ranks, arguments(name), of: program)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try bytes(name) == bytes("one"), "\(name)")
      #expect(try log(name) == log("one"), "\(name)")
    }
    #expect(try log("one").count > 3)
  }

  @Test("Sixteen ranks in one process come to the weights that four under mpirun write")
  func inProcess() throws {
    let outcome = try run(4, arguments("four"))
    try #require(outcome.status == 0, "\(outcome.errors)")
    let teacher = try Network(contentsOf: folder.file("inputs/teacher.h5"))
    let settings = {
      var s = DistillationSettings()
      (s.batch, s.microbatch, s.augment, s.durationKimg) = (32, 2, 0, 0.64)
      (s.fakeScoreLearningRate, s.generatorLearningRate) = (1e-4, 1e-4)
      return s
    }()
    let averages = try RankTeam.run(16) { ranks in
      let draws = SeededDraws(
        seed: settings.seed, imageShape: teacher.imageShape,
        labels: UniformLabels(seed: settings.seed, classes: teacher.configuration.labelDim), augmentations: nil)
      let loop = try Distillation(teacher: teacher, settings: settings, draws: draws)
        .loop(from: TrainingState(teacher: teacher, settings: settings), ranks: ranks)
      while loop.state.imagesSeen < settings.durationImages { _ = try loop.advance() }
      return loop.state.generatorEMA
    }
    let written = try Network(contentsOf: folder.file("job/four.h5"))
    for average in averages {
      for index in written.specifications.indices {
        #expect(average.stateDictTensor(index).values == written.stateDictTensor(index).values)
      }
    }
  }

  @Test("A rank that is killed ends the others; the run goes on with other numbers of ranks, to the same file")
  func kills() throws {
    try alone("one")
    var (kills, ends) = (0, 0)
    for round in 0..<9 where ends == 0 {
      let ranks = [3, 2, 4][round % 3]
      let killer = """
        [ "$OMPI_COMM_WORLD_RANK" != \(Int.random(in: 0..<ranks)) ] ||
          (sleep \(Double.random(in: 0.3...2.5)); kill -9 $$) > /dev/null 2>&1 &
        """
      let start = ContinuousClock.now
      let outcome = try run(
        ranks, arguments("parts", ["--state-kimg", "0.032", "--threads", "1"]), before: round < 6 ? killer : "true")
      #expect(ContinuousClock.now - start < .seconds(60), "\(outcome.errors)")
      #expect([0, 75, 137].contains(outcome.status), "\(outcome)")
      if outcome.status == 0 { ends += 1 } else { kills += 1 }
    }
    #expect(kills > 0)
    #expect(try bytes("parts") == bytes("one"))
  }

  @Test("One rank that is asked to stop stops all of them at the same place", arguments: PoliteSignals.all)
  func stops(signal: Int32) throws {
    let outcome = try run(
      3, arguments("stopped", ["--duration-kimg", "64"]),
      before: #"[ "$OMPI_COMM_WORLD_RANK" != 1 ] || (sleep 1.5; kill -\#(signal) $$) > /dev/null 2>&1 &"#)
    #expect(outcome.status == 75 && statuses(3) == [75, 75, 75], "\(outcome)")
    #expect(outcome.errors.components(separatedBy: "stopped before it was finished").count == 2, "\(outcome.errors)")
    #expect(FileManager.default.fileExists(atPath: folder.file("job/stopped.state.h5")))
  }

  @Test("Evaluations are shared, and their figures are the same")
  func evaluations() throws {
    for (program, arguments) in [
      (
        "sid-convert",
        [
          Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output",
          folder.file("inputs/features.h5"),
        ]
      ),
      (
        "sid-score",
        [
          "reference", "--dataset", Fixtures.digits("digits-8x8.zip"), "--features", folder.file("inputs/features.h5"),
          "--output", folder.file("inputs/reference.h5"),
        ]
      ),
    ] { try #require(try Programs.run(program, arguments).status == 0) }
    let measured = [
      "--evaluate", "--evaluate-kimg", "0.32", "--evaluate-seeds", "0-500", "--evaluate-metrics", "is", "--features",
      folder.file("inputs/features.h5"), "--reference", folder.file("inputs/reference.h5"),
    ]
    try alone("one", measured)
    let outcome = try run(3, arguments("three", measured))
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try bytes("three") == bytes("one"))
    #expect(try bytes("three-best") == bytes("one-best"))
    let curve = try HDF5File.open(folder.file("job/three.h5")).root.stringAttribute("curve")
    #expect(curve.components(separatedBy: "kimg").count == 4, "\(curve)")
    let samples = try HDF5File.open(folder.file("job/three.h5")).root.group("course").dataset("samples")
    #expect(samples.shape == [3, 8, 8, 8, 1])
  }

  @Test("A full disk under rank 0 ends all of them with 74 or 75, and the state before is whole")
  func fullDisk() throws {
    // The first state fits, the second one does not beside it.
    let outcome = try run(
      3, arguments("full", ["--state-kimg", "0.032"]),
      mount: #"mount -t tmpfs -o size=9m none "$0" && cd "$0" && "$@"; status=$?; cp *.state.h5 ..; exit $status"#)
    #expect(statuses(3).allSatisfy { $0 == 74 || $0 == 75 }, "\(statuses(3)), \(outcome.errors)")
    #expect(outcome.errors.contains("the disk is full"))
    try FileManager.default.moveItem(
      atPath: folder.file("full.state.h5"), toPath: folder.file("job/full.state.h5"))
    try alone("one")
    #expect(try run(2, arguments("full")).status == 0)
    #expect(try bytes("full") == bytes("one"))
  }

  @Test("Ranks that do not belong together, or are too many, are refused, and told once")
  func refusals() throws {
    func refused(_ ranks: Int, _ more: [String], _ status: Int32, _ texts: String..., before: String = "true") throws {
      let outcome = try run(ranks, arguments("refused", more), before: before)
      #expect(outcome.status == status, "\(outcome.errors)")
      let lines = outcome.errors.split(separator: "\n").filter {
        $0.hasPrefix("sid-distill: ") && !$0.contains("ranks, here")
      }
      #expect(lines.count == 1 && texts.allSatisfy { lines.first?.contains($0) == true }, "\(outcome.errors)")
      #expect(statuses(ranks) == Array(repeating: status, count: ranks), "\(outcome.errors)")
    }
    try refused(3, ["--batch", "4"], 64, "2 groups", "--gradient-groups")
    try refused(2, ["--teacher", "none.h5"], 66, "none.h5")
    try refused(
      2, [], 64, "rank 1", "was started for", before: #"[ "$OMPI_COMM_WORLD_RANK" = 0 ] || set -- "$@" --alpha 1"#)
    try refused(2, [], 64, "SLURM_STEP_NUM_TASKS", before: "export SLURM_STEP_NUM_TASKS=4")
    #if arch(x86_64)
      let kernels = try run(
        2, arguments("kernels"), before: #"[ "$OMPI_COMM_WORLD_RANK" = 1 ] || export SID_KERNELS=x86-64-v3"#)
      // Where the processor has the smaller set alone, both are the same.
      #expect(kernels.status == (InstructionSet.v4.isSupported ? 64 : 0), "\(kernels.errors)")
      #expect(kernels.errors.contains("set SID_KERNELS to the smaller set") == InstructionSet.v4.isSupported)
    #endif
  }

  @Test("Several processes that the program cannot join are refused")
  func singletons() throws {
    // As srun starts ranks that MPI does not know of: each would take itself for the only one.
    let outcome = try Programs.run(
      program, arguments("single"), environment: ["SLURM_STEP_NUM_TASKS": "4"], folder: folder.file("job"))
    #expect(outcome.status == 64 && outcome.errors.contains("MPI knows of 1"), "\(outcome)")
    #expect(try run(1, arguments("single"), environment: ["SLURM_STEP_NUM_TASKS": "4"]).status == 64)
    // Slurm's shell of an allocation is a step of one task.
    #expect(try run(2, arguments("shell"), environment: ["SLURM_STEP_NUM_TASKS": "1"]).status == 0)
  }

  @Test("Ranks are confined to the input roots, and say so")
  func confinement() throws {
    let roots = ["SID_INPUT_ROOTS": "[\"\(folder.file("inputs"))\"]"]
    let outcome = try run(2, arguments("confined"), environment: roots)
    #expect(outcome.status == 0 && outcome.errors.contains("confined to the input roots"), "\(outcome.errors)")
    try FileManager.default.copyItem(
      atPath: folder.file("inputs/teacher.h5"), toPath: folder.file("outside.h5"))
    let outside = try run(2, arguments("outside", ["--teacher", folder.file("outside.h5")]), environment: roots)
    #expect(outside.status == 66 && outside.errors.contains("outside.h5: cannot open"), "\(outside.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("job"))
    #expect(names.sorted() == ["confined.h5", "confined.json", "confined.state.h5"])
  }

  @Test("--dry-run speaks once, of all ranks")
  func dryRun() throws {
    let outcome = try run(2, arguments("dry", ["--dry-run", "--threads", "1"]))
    #expect(outcome.status == 0 && outcome.output.components(separatedBy: "peak memory").count == 2, "\(outcome)")
    #expect(outcome.output.contains("hours on 2 ranks of 1 threads"))
  }
}

/// The same program without the trait.
@Suite("sid-distill without MPI")
struct WithoutMPITests {
  @Test(
    "Several processes are refused, and no MPI is needed", arguments: ["OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
  func refused(variable: String) throws {
    let folder = try TemporaryFolder()
    let outcome = try Programs.run(
      "sid-distill", ["--teacher", "t.h5", "--output", "o.h5", "--state", "s.h5"], environment: [variable: "3"],
      folder: folder.path)
    #expect(outcome.status == 69 && outcome.errors.contains("built without MPI"), "\(outcome)")
    let strange = try Programs.run(
      "sid-distill", ["--teacher", "t.h5", "--output", "o.h5", "--state", "s.h5"], environment: [variable: "three"],
      folder: folder.path)
    #expect(strange.status == 64 && strange.errors.contains(variable), "\(strange)")
    for name in ["sid-distill", "sid-sample", "sid-score", "sid-spoold"] {
      let libraries = try Programs.run("/usr/bin/env", ["ldd", Programs.path(name)])
      #expect(libraries.status == 0 && !libraries.output.contains("libmpi"), "\(libraries.output)")
    }
  }
}
