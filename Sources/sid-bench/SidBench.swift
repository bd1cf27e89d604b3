import ArgumentParser
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Scoring
import Stage

/// `sid-bench`: how fast the engine is, and how much memory it takes.
@main
struct SidBench: CommandLineProgram {
  static let program = "sid-bench"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Measures the speed and the memory of networks with random weights.",
    discussion: """
      Networks: \(NetworkOptions.names.joined(separator: ", ")). Works: sample (one-step sampling), latency \
      (the same, one image), distill-step (one iteration of SiD: fake-score step and generator step with optimizer and \
      average), train-step (one iteration of a teacher's training: loss, optimizer and average, on images of noise that are \
      not augmented), conv (convolutions forward, input gradient and weight gradient, counted in direct FLOPs), features (pool features \
      of 32x32 images; inception-v3 alone), frechet (the distance of two statistics of 2048 features; no network).

      --tasks runs a work with kernels that only say how much they would do, so neither that many cores nor the work's memory is \
      needed. Work is counted in floating-point operations; a float that is read or written outside of a product counts as \
      \(Int(WorkCount.flopsOfFloat)). The serial share s of a layer is defined by time on N threads = work * (s + (1 - s) / N).

      --serve warms up, prints {"ready": true} and answers each line on standard input with one JSON line: `run` or an \
      empty line with the seconds of one repetition, `batch N` by changing the batch, `outputs FILE` by writing inputs \
      and results to an HDF5 file, `peak` with the peak memory so far, `quit` with the peak memory before it ends.

      Exit status: 0 done, 64 usage, 65 malformed network, 66 missing network, 69 the processor lacks what this build \
      needs, 75 stopped.
      """,
    version: Version.line(program))

  @OptionGroup(title: "Network") var source: NetworkOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "Work") var kernels: KernelOptions

  @Flag(help: "Measure what this processor does, and how near each kind of layer comes to it.")
  var cpu = false

  @Flag(
    help: """
      Count how the work is cut into tasks for \(TaskReport.threadCounts.map(String.init).joined(separator: ", ")) threads \
      instead of measuring it; sample, distill-step, train-step and features.
      """)
  var tasks = false

  @Flag(help: "Print one JSON object instead of a table.")
  var json = false

  @Flag(help: "Answer commands on standard input.")
  var serve = false

  func validate() throws {
    guard !cpu || (work.work == nil && !serve) else { throw ValidationError("--cpu goes without --work and --serve") }
    guard let kind = work.work else {
      if cpu && !tasks { return }
      guard !tasks else { throw ValidationError("--tasks needs --work") }
      guard source.writeNetwork != nil else { throw ValidationError("--work, --cpu or --write-network is missing") }
      return
    }
    guard kind.needsNoNetwork || source.network != nil || source.networkFile != nil else {
      throw ValidationError("--work \(kind.rawValue) needs --network or --network-file")
    }
    guard
      source.networkFile != nil || (source.network == NetworkOptions.inception) == (kind == .features)
        || kind.needsNoNetwork
    else {
      throw ValidationError(
        "--work features goes with --network \(NetworkOptions.inception), other works with the others")
    }
    guard !serve || kind != .conv else { throw ValidationError("--work conv cannot be served") }
    guard !tasks || kind.isCounted else { throw ValidationError("--tasks does not go with --work \(kind.rawValue)") }
    guard !tasks || !serve else { throw ValidationError("--tasks and --serve exclude each other") }
  }

  func run() throws {
    StageProgram.run(Self.program, on: "measurement", needing: LinearAlgebraCore.wanted) {
      if let file = source.writeNetwork { try OutputPlace(file, option: "--write-network").require() }
      try measure()
    }
  }

  private func measure() throws {
    let threads = work.threads ?? Machine.availableThreads
    Threads.use(threads)
    KernelSet.use(kernels.kernels)
    if cpu {
      let report = try ProcessorReport(threads: threads, repetitions: work.repetitions)
      return print(json ? report.json.text : report.table)
    }
    WeightCache.limitBytes = work.cacheLimitBytes
    if let path = source.writeNetwork {
      try HDF5File.publish(path) { try source.write(to: $0) }
    }
    guard let kind = work.work else { return }
    if kind == .conv {
      let report = try ConvolutionReport(
        cases: work.shape.isEmpty ? ConvolutionCase.common : work.shape, batch: work.batch ?? 8,
        repetitions: work.repetitions, threads: threads)
      return print(json ? report.json.text : report.table)
    }
    if tasks {
      let report = try TaskReport(network: source.name, work: kind, batch: work.batch) { batch in
        try self.benchmark(kind, batch: batch)
      }
      return print(json ? report.json.text : report.table)
    }
    var benchmark = try benchmark(kind, batch: work.batch)
    try benchmark.run()
    let labels = Labels(network: kind.needsNoNetwork ? "" : source.name, work: kind.rawValue, threads: threads)
    if serve {
      var server = Server(labels: labels, benchmark: benchmark)
      try server.answer()
    } else {
      let measurement = try Measurement(of: work.repetitions) { try benchmark.run() }
      let report = BenchmarkReport(labels: labels, benchmark: benchmark, measurement: measurement)
      print(json ? report.json.text : report.table)
    }
  }

  /// - Parameter batch: nil for the work's own.
  private func benchmark(_ kind: WorkName, batch: Int?) throws -> any Benchmark {
    if kind == .frechet { return FrechetBenchmark(seed: source.seed) }
    if kind == .features {
      return try FeatureBenchmark(
        network: try source.loadFeatures(), batch: batch ?? 32, seed: source.seed, origin: source.name)
    }
    let network = try source.load(deferringWeights: !kind.isTraining)
    switch kind {
    case .latency: return SamplingBenchmark(network: network, batch: 1, seed: source.seed)
    case .distillStep:
      return try DistillationBenchmark(
        network: network, batch: batch ?? 8, seed: source.seed,
        checkpointsActivations: work.checkpointActivations)
    case .trainStep:
      return try TeacherBenchmark(
        network: network, batch: batch ?? 8, seed: source.seed,
        checkpointsActivations: work.checkpointActivations)
    case .sample, .conv, .features, .frechet:
      return SamplingBenchmark(network: network, batch: batch ?? 8, seed: source.seed)
    }
  }
}

/// Which network is measured.
struct NetworkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A network by its name, with random weights.", valueName: "name"))
  var network: String?

  @Option(help: ArgumentHelp("A network file instead.", valueName: "file"))
  var networkFile: String?

  @Option(help: ArgumentHelp("Seed of weights, latents, classes and training.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Write the network to a file first.", valueName: "file"))
  var writeNetwork: String?

  func validate() throws {
    guard network == nil || networkFile == nil else {
      throw ValidationError("--network and --network-file exclude each other")
    }
    guard writeNetwork == nil || network != nil || networkFile != nil else {
      throw ValidationError("--write-network needs --network")
    }
    if let network, !Self.names.contains(network) {
      throw ValidationError(
        "--network \"\(network)\" is not known; the names are \(Self.names.joined(separator: ", "))")
    }
  }

  /// The feature network of the FID.
  static let inception = "inception-v3"
  /// What `--network` knows.
  static let names = NetworkConfiguration.publishedNames + [inception]

  /// What reports call the network.
  var name: String { network ?? networkFile.map { ($0 as NSString).lastPathComponent } ?? "" }

  /// Reads the file or draws the weights.
  /// - Parameter deferringWeights: as sid-sample reads a file.
  func load(deferringWeights: Bool = false) throws -> Network {
    if let networkFile { return try Network(contentsOf: networkFile, deferringWeights: deferringWeights) }
    guard let network, let configuration = NetworkConfiguration.published(network) else {
      throw Failure(.usage, "--network", "it is missing")
    }
    return try Network(configuration: configuration, randomSeed: seed, origin: network)
  }

  /// The same for a feature network.
  func loadFeatures() throws -> FeatureNetwork {
    if let networkFile { return try FeatureNetwork(contentsOf: networkFile) }
    return try FeatureNetwork(architecture: .inceptionV3, source: RandomInception(seed: seed), origin: name)
  }

  /// Writes the network.
  func write(to file: HDF5File) throws {
    guard network == Self.inception else { return try load().write(to: file) }
    try FeatureNetwork.write(.inceptionV3, source: RandomInception(seed: seed), origin: name, to: file)
  }
}

/// What is measured, and how often.
struct WorkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("sample, latency, distill-step, train-step, conv, features or frechet.", valueName: "name"))
  var work: WorkName?

  @Flag(help: "Transform weights anew for every call instead of keeping them.")
  var lowMemory = false

  @Flag(help: "Compute what blocks hold inside again for the gradients; distill-step and train-step.")
  var checkpointActivations = false

  /// What the programs that do this work keep of transformed weights.
  var cacheLimitBytes: Int {
    if lowMemory || checkpointActivations { return 0 }
    return work?.isTraining == true ? WeightCache.trainingLimitBytes : WeightCache.samplingLimitBytes
  }

  @Option(help: ArgumentHelp("Images in one repetition (default: 8; 32 for features, 1 for latency).", valueName: "n"))
  var batch: Int?

  @Option(
    help: ArgumentHelp(
      "HxWxIN->OUT or HxWxIN->OUT/KERNEL, kernel 3 or 1; conv. Several are measured in turn (default: common ones).",
      valueName: "shape"))
  var shape: [ConvolutionCase] = []

  @Option(help: ArgumentHelp("Repetitions, after one that does not count.", valueName: "n"))
  var repetitions = 5

  @Option(help: ArgumentHelp("Worker threads (default: the cores this process may use).", valueName: "n"))
  var threads: Int?

  func validate() throws {
    for (name, value, largest) in [
      ("batch", batch ?? 1, 1 << 16), ("repetitions", repetitions, 1 << 20), ("threads", threads ?? 1, 1024),
    ] where value < 1 || value > largest {
      throw ValidationError("--\(name) must be from 1 to \(largest), found \(value)")
    }
    guard work != .latency || batch ?? 1 == 1 else { throw ValidationError("--work latency is of one image") }
    guard work != .frechet || batch == nil else { throw ValidationError("--work frechet has no --batch") }
    guard shape.isEmpty || work == .conv else { throw ValidationError("--shape belongs to --work conv") }
  }
}

/// The works by the names of `--work`.
enum WorkName: String, ExpressibleByArgument, CaseIterable {
  case sample, latency, conv, features, frechet
  case distillStep = "distill-step"
  case trainStep = "train-step"

  /// Whether weights change in it.
  var isTraining: Bool { self == .distillStep || self == .trainStep }

  /// Whether `--tasks` counts it.
  var isCounted: Bool { self == .sample || self == .features || isTraining }

  /// Whether it is done without a network.
  var needsNoNetwork: Bool { self == .conv || self == .frechet }
}
