import Foundation
import Models
import Spool
import TestSupport
import Testing

/// A published benchmark: its job files, and what the paper and the official trainer say of it.
struct Benchmark: Sendable, CustomTestStringConvertible {
  let name: String
  let teacher: String
  let generator: String
  let reference: String
  /// Options of `distill` with the published values.
  let settings: [String: String]
  /// Adversarial SiD on it.
  let adversarial: Adversarial
  /// The published architecture with fewer channels.
  let channels: Int
  let architecture: String

  var testDescription: String { name }

  /// What the commands of adversarial SiD have otherwise.
  struct Adversarial: Sendable {
    let generator: String
    let dataset: String
    let microbatch: Int
    let kimg: Int

    /// Options of `distill` with the published values, beside and in place of those of SiD.
    var settings: [String: String] {
      [
        "alpha": "1.0", "g-beta1": "0", "microbatch": "\(microbatch)", "duration-kimg": "\(kimg)",
        "discriminator-loss-scale": "1", "adversarial-loss-scale": "0.01", "generator-start-kimg": "100",
        "adversarial-start-kimg": "200", "gradient-clip": "1",
      ]
    }
  }

  /// Its job files with the network that they begin with, and whether they distill.
  var jobs: [(name: String, source: String, distills: [String: String]?)] {
    [
      (name, teacher, settings), ("\(name)-sample-only", generator, nil),
      ("\(name)-sida", teacher, settings.merging(adversarial.settings) { $1 }),
      ("\(name)-sida-sample-only", adversarial.generator, nil),
    ]
  }

  static func job(_ name: String) -> String { Fixtures.digits("../\(name).yaml") }

  private static func settings(
    batch: Int, lr: String, beta1: String, epsilon: String, alpha: String, halfLife: Int, dropout: String,
    augment: String, kimg: Int
  ) -> [String: String] {
    [
      "batch": "\(batch)", "lr": lr, "glr": lr, "g-beta1": beta1, "adam-eps": epsilon, "alpha": alpha, "tmax": "800",
      "init-sigma": "2.5", "ema-halflife-kimg": "\(halfLife)", "ema-rampup-ratio": "0.05", "dropout": dropout,
      "augment": augment, "loss-scale": "1", "generator-loss-scale": "100", "duration-kimg": "\(kimg)",
    ]
  }

  static let all: [Benchmark] = [
    Benchmark(
      name: "cifar10-uncond", teacher: "edm-cifar10-32x32-uncond-vp.pkl",
      generator: "network-snapshot-1.200000-403968.pkl", reference: "cifar10-32x32.npz",
      settings: settings(
        batch: 256, lr: "1e-5", beta1: "0", epsilon: "1e-8", alpha: "1.2", halfLife: 500, dropout: "0.13",
        augment: "0.12", kimg: 500_000),
      adversarial: Adversarial(
        generator: "cifar10_uncond_sida_alpha1-217920.pkl", dataset: "cifar10-32x32.zip", microbatch: 32, kimg: 300_000),
      channels: 16, architecture: "cifar10"),
    Benchmark(
      name: "cifar10-cond", teacher: "edm-cifar10-32x32-cond-vp.pkl", generator: "network-snapshot-1.200000-713312.pkl",
      reference: "cifar10-32x32.npz",
      settings: settings(
        batch: 256, lr: "1e-5", beta1: "0", epsilon: "1e-8", alpha: "1.2", halfLife: 500, dropout: "0.13",
        augment: "0.12", kimg: 800_000),
      adversarial: Adversarial(
        generator: "cifar10_cond_sida_alpha1-293184.pkl", dataset: "cifar10-32x32.zip", microbatch: 32, kimg: 300_000),
      channels: 16, architecture: "cifar10-cond"),
    // Fewer channels than 32 would leave out attention.
    Benchmark(
      name: "imagenet64", teacher: "edm-imagenet-64x64-cond-adm.pkl", generator: "network-snapshot-1.200000-939176.pkl",
      reference: "imagenet-64x64.npz",
      settings: settings(
        batch: 8192, lr: "4e-6", beta1: "0", epsilon: "1e-6", alpha: "1.2", halfLife: 2000, dropout: "0.1",
        augment: "0", kimg: 1_000_000),
      adversarial: Adversarial(
        generator: "imgnet64_sida_alpha1-249167.pkl", dataset: "imagenet-64x64.zip", microbatch: 32, kimg: 300_000),
      channels: 32, architecture: "imagenet64"),
    Benchmark(
      name: "ffhq64", teacher: "edm-ffhq-64x64-uncond-vp.pkl", generator: "network-snapshot-1.200000-498176.pkl",
      reference: "ffhq-64x64.npz",
      settings: settings(
        batch: 512, lr: "1e-5", beta1: "0.9", epsilon: "1e-6", alpha: "1.2", halfLife: 500, dropout: "0.05",
        augment: "0.15", kimg: 500_000),
      adversarial: Adversarial(
        generator: "ffhq64_sida_alpha1-185856.pkl", dataset: "ffhq-64x64.zip", microbatch: 64, kimg: 200_000),
      channels: 16, architecture: "ffhq64"),
    Benchmark(
      name: "afhqv2-64", teacher: "edm-afhqv2-64x64-uncond-vp.pkl", generator: "network-snapshot-1.000000-371712.pkl",
      reference: "afhqv2-64x64.npz",
      settings: settings(
        batch: 512, lr: "5e-6", beta1: "0", epsilon: "1e-6", alpha: "1.0", halfLife: 500, dropout: "0.05",
        augment: "0.15", kimg: 500_000),
      adversarial: Adversarial(
        generator: "afhq64-v2_sida_alpha1-127488.pkl", dataset: "afhqv2-64x64.zip", microbatch: 64, kimg: 200_000),
      channels: 16, architecture: "ffhq64"),
  ]

  /// The names of all job files.
  static let jobs = all.flatMap { $0.jobs.map(\.name) }

  /// The published architecture with fewer channels.
  func configuration() throws -> NetworkConfiguration {
    var configuration = try #require(NetworkConfiguration.published(architecture))
    configuration.modelChannels = channels
    return configuration
  }
}

@Suite("The benchmark jobs")
struct BenchmarkJobTests {
  private func job(_ name: String) throws -> JobFile {
    try JobFile(Array(Data(contentsOf: URL(fileURLWithPath: Benchmark.job(name)))))
  }

  private func options(_ step: JobStep) -> [String: JobStep.Value] {
    Dictionary(uniqueKeysWithValues: step.settings.map { ($0.option.name, $0.value) })
  }

  @Test("have the published settings and name the published files", arguments: Benchmark.all)
  func published(_ benchmark: Benchmark) throws {
    let inception = JobStep.Value.input(.file("pt_inception-2015-12-05-6726825d.pth"))
    for (name, source, settings) in benchmark.jobs {
      let job = try job(name)
      #expect(job.name == name)
      let converted = job.steps.filter { $0.stage.stage == "convert" }.map { options($0) }
      #expect(converted.map { $0["source"] } == [.input(.file(source)), inception])
      #expect(converted.allSatisfy { $0["expect-sha256"] == .list(["source="]) })
      let samples = options(try #require(job.steps.first { $0.name == "samples" }))
      #expect(samples["seeds"] == .text("0-49999") && samples["network"] == .input(.step("generator")))
      #expect(samples["init-sigma"] == .text("2.5") && samples["sampler"] == .text("one-step"))
      #expect(job.steps.last?.stage.stage == "report")
      let score = options(try #require(job.steps.last { $0.stage.stage == "score" }))
      #expect(
        score["reference"] == .input(.file(benchmark.reference)) && score["features"] == .input(.step("inception")))
      #expect(score["figure"] == .text("fid") && score["expect-sha256"] == .list(["reference="]))
      guard let settings else { continue }
      let distill = options(try #require(job.steps.first { $0.stage.stage == "distill" }))
      for (key, value) in settings { #expect(distill[key] == .text(value), "\(name): \(key)") }
      #expect(distill["teacher"] == .input(.step("teacher")) && distill["evaluate"] == .flag(true))
      #expect(distill["reference"] == .input(.file(benchmark.reference)))
      let isAdversarial = name.hasSuffix("-sida")
      #expect(distill["adversarial"] == (isAdversarial ? .flag(true) : nil))
      #expect(distill["dataset"] == (isAdversarial ? .input(.file(benchmark.adversarial.dataset)) : nil))
    }
  }

  @Test("have stand-ins that are read as the published files are", arguments: Benchmark.all)
  func standIns(_ benchmark: Benchmark) throws {
    let folder = try TemporaryFolder()
    let expected = try benchmark.configuration()
    try EDMSnapshot.write(expected, seed: 1, to: folder.file("teacher.pkl"))
    let network = try loadNetworkFile(folder.file("teacher.pkl"))
    #expect(network.configuration == expected)
    #expect(network.configuration.modelType == (benchmark.name == "imagenet64" ? "DhariwalUNet" : "SongUNet"))
  }

  @Test("use no key that the help of its program does not explain", arguments: Benchmark.jobs)
  func keysAreExplained(_ name: String) throws {
    for step in try job(name).steps {
      // Programs with several commands explain the default one under its name.
      let command = step.stage.subcommand ?? step.stage.stage
      let help = try Programs.run(step.stage.program, [command, "--help"], environment: ["COLUMNS": "80"]).output
      for setting in step.settings where !setting.option.isPositional {
        // The option at the beginning of a line, with its value's name if it has one, and words on it.
        let entry = help.components(separatedBy: "\n  --\(setting.option.name)").dropFirst()
          .first { $0.first?.isWhitespace == true }
        let letters = entry?.components(separatedBy: "\n  -")[0].filter(\.isLetter).count ?? 0
        #expect(letters > 15, "\(step.stage.program) --\(setting.option.name)")
      }
    }
  }
}
