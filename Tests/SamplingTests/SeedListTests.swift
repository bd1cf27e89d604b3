import Diagnostics
import OptionValues
import Sampling
import Testing

@Suite("Seeds, classes, bytes")
struct SeedListTests {
  @Test("A list keeps its order and takes both ends of a range")
  func order() throws {
    let seeds = try SeedList("0-4,7,100-102,7")
    #expect(seeds.count == 10)
    #expect(seeds[0..<10] == [0, 1, 2, 3, 4, 7, 100, 101, 102, 7])
    #expect(seeds[4..<7] == [4, 7, 100])
    #expect(seeds[3..<3].isEmpty)
    #expect(seeds.largest == 102)
    #expect(try SeedList("18446744073709551615")[0..<1] == [.max])
  }

  @Test("The spelling is normalized", arguments: [("0-4,5-9", "0-9"), ("007", "7"), ("3,4,5", "3-5"), ("5,4", "5,4")])
  func spelling(text: String, expected: String) throws {
    #expect(try SeedList(text).description == expected)
  }

  @Test(
    "What is no list of seeds is named",
    arguments: ["", "1,", "a", "3-1", "-5", "1-2-3", "1..3", " 1", "18446744073709551616", "0-18446744073709551615"])
  func malformed(text: String) {
    #expect { try SeedList(text) } throws: { error in
      (error as? Failure)?.status == .usage && "\(error)".contains("--seeds \(text)")
    }
  }

  @Test("A seed of 2^32 is refused where PyTorch's generator would take it for 0")
  func largeSeeds() throws {
    #expect(throws: Never.self) { try RandomConvention.torchCPU.validate(try SeedList("0-4294967295")) }
    #expect { try RandomConvention.torchCPU.validate(try SeedList("5,4294967296")) } throws: { error in
      (error as? Failure)?.status == .usage && "\(error)".contains("4294967296")
    }
  }

  @Test("A class has to exist")
  func classes() {
    #expect(ClassChoice("random") == .random && ClassChoice("3") == .fixed(3))
    #expect(ClassChoice("balanced") == .balanced)
    let shape = [2, 2, 1]
    #expect(Latents(seeds: [7, 10, 23], imageShape: shape, labelDim: 10, choice: .balanced).classes == [7, 0, 3])
    #expect {
      try ClassChoice.balanced.validate(labelDim: 0, network: "n.h5")
    } throws: { "\($0)".contains("no classes") }
    #expect(ClassChoice("-1") == nil && ClassChoice("cat") == nil)
    #expect(throws: Never.self) { try ClassChoice.fixed(9).validate(labelDim: 10, network: "n.h5") }
    #expect { try ClassChoice.fixed(10).validate(labelDim: 10, network: "n.h5") } throws: { "\($0)".contains("0 to 9") }
    #expect { try ClassChoice.fixed(0).validate(labelDim: 0, network: "n.h5") } throws: {
      "\($0)".contains("no classes")
    }
  }

  @Test("Forcing a class leaves the latents as they are")
  func forcedClass() {
    let drawn = Latents(seeds: [1, 2], imageShape: [8, 8, 1], labelDim: 10)
    let forced = Latents(seeds: [1, 2], imageShape: [8, 8, 1], labelDim: 10, choice: .fixed(4))
    #expect(forced.classes == [4, 4])
    #expect(drawn.noise.values == forced.noise.values)
    #expect(forced.classLabels?.values == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
  }

  @Test("Bytes are clipped and truncated; what is not finite has none")
  func bytes() {
    #expect(ImageBytes.bytes([-2, -1, 0, 0.999, 1, 5, 0.0078]) == [0, 0, 128, 255, 255, 255, 128])
    #expect(ImageBytes.bytes([-0.9999]) == [0])
    #expect(ImageBytes.bytes([0, .nan]) == nil)
    #expect(ImageBytes.bytes([.infinity]) == nil)
  }
}
