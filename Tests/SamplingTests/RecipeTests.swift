import Diagnostics
import Foundation
import Sampling
import TestSupport
import Testing

@Suite("Recipes: random numbers and classes")
struct RecipeTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func latents(_ convention: RandomConvention, _ seeds: [UInt64], _ choice: ClassChoice = .random) -> Latents {
    Latents(seeds: seeds, imageShape: [8, 8, 3], labelDim: 10, choice: choice, convention: convention)
  }

  @Test("Each convention draws each seed by itself", arguments: RandomConvention.allCases)
  func conventions(convention: RandomConvention) {
    let all = latents(convention, [1, 2, 3])
    let one = latents(convention, [2])
    #expect(all.noise.rows(1..<2).values == one.noise.values)
    #expect(all.classes?[1] == one.classes?[0])
    for other in RandomConvention.allCases where other != convention {
      #expect(latents(other, [2]).noise.values != one.noise.values)
    }
    let values = (0..<20).flatMap { latents(convention, [$0]).noise.values }
    let mean = values.reduce(0, +) / Float(values.count)
    let variance = values.reduce(0) { $0 + $1 * $1 } / Float(values.count)
    #expect(abs(mean) < 0.06 && abs(variance - 1) < 0.08)
  }

  @Test("Philox takes seeds of 64 bits, PyTorch's generators those of 32")
  func largeSeeds() throws {
    let seeds = try SeedList("4294967297")
    #expect(throws: Never.self) { try RandomConvention.philox.validate(seeds) }
    #expect(throws: Failure.self) { try RandomConvention.torchCUDA.validate(seeds) }
    #expect(latents(.philox, [1]).noise.values != latents(.philox, [1 << 32 + 1]).noise.values)
  }

  @Test("A list of classes is taken in turns by the seed")
  func list() throws {
    #expect(ClassChoice("0,3,5-7") == .list([0, 3, 5, 6, 7]))
    #expect(ClassChoice("3,") == nil && ClassChoice("a,b") == nil)
    #expect(latents(.philox, [0, 1, 2, 7, 9], .list([4, 9])).classes == [4, 9, 4, 9, 9])
    #expect(throws: Failure.self) { try ClassChoice.list([4, 10]).validate(labelDim: 10, network: "n") }
  }

  @Test("A labels file is read by ranges, and counted and checked as a whole")
  func labelsFile() throws {
    let path = folder.file("labels.txt")
    let labels = (0..<20_000).map { $0 * 7 % 10 }
    try Data(labels.map { "\($0)" }.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
    let file = try LabelsFile(path)
    #expect(file.count == 20_000 && file.largest == 9)
    for range in [0..<1, 4090..<4100, 8192..<8193, 19_999..<20_000, 0..<20_000, 5..<5] {
      #expect(try file.labels(range) == Array(labels[range]))
    }
    let sampler = Sampler.oneStep(OneStepSampler())
    #expect(throws: Failure.self) {
      try SampleRecipe(sampler: sampler, seeds: SeedList("0-9"), classChoice: .file(file))
    }
    for text in ["1\n\n2", "1\nx\n", "-1\n", "99999999999\n", "1\n\u{FEFF}2\n", "\u{FEFF}\u{FEFF}1\n"] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect { try LabelsFile(path) } throws: { ($0 as? Failure)?.status == .dataError && "\($0)".contains("line ") }
    }
  }

  @Test("A byte order mark before the first label is no part of it, half of one is refused")
  func markedLabelsFile() throws {
    let path = folder.file("labels.txt")
    try Data("\u{FEFF}3\r\n1\r\n".utf8).write(to: URL(fileURLWithPath: path))
    let file = try LabelsFile(path)
    #expect(file.count == 2 && file.largest == 3)
    #expect(try file.labels(0..<2) == [3, 1] && file.labels(1..<2) == [1])
    for bytes in [[0xEF, 0x31], [0xEF, 0xBB, 0x31], [0xBB, 0xBF, 0x31], [0xFF, 0xFE, 0x31, 0]] as [[UInt8]] {
      try Data(bytes + [0x0A]).write(to: URL(fileURLWithPath: path))
      #expect { try LabelsFile(path) } throws: { "\($0)".contains("line 1") }
    }
  }

  @Test("Seeds by the million cost nothing until they are asked for")
  func manySeeds() throws {
    let seeds = try SeedList("0-49999999,60000000-1099511627775")
    #expect(seeds.count == 1_099_511_627_776 - 10_000_000)
    #expect(seeds[49_999_999..<50_000_001] == [49_999_999, 60_000_000])
    #expect(seeds.sublist(49_999_998..<50_000_002).description == "49999998-49999999,60000000-60000001")
    #expect(!seeds.hasRepetitions)
    #expect(try SeedList("5,1-4,4").hasRepetitions)
    let many = try SeedList((0..<5000).map { "\($0 * 2)" }.joined(separator: ","))
    #expect(many[4000..<4003] == [8000, 8002, 8004])
  }

  @Test("Churn draws fresh noise from the seed alone", arguments: [RandomConvention.torchCPU, .philox])
  func churn(convention: RandomConvention) throws {
    let churned = Sampler.heun(HeunSampler(steps: 4, churn: HeunSampler.Churn(amount: 10)))
    let plain = Sampler.heun(HeunSampler(steps: 4))
    func images(_ sampler: Sampler, _ seeds: [UInt64]) -> [UInt8]? {
      sampler.images(
        AnalyticDenoiser(labelDim: 0),
        Latents(
          seeds: seeds, imageShape: [4, 6, 3], labelDim: 0, convention: convention, keepingGenerators: true))
    }
    let both = try #require(images(churned, [8, 9]))
    #expect(images(churned, [9]) == Array(both.suffix(72)))
    #expect(both != images(plain, [8, 9]))
    #expect(throws: Failure.self) { try RandomConvention.torchCUDA.validate(churned) }
  }
}
