import Compute
import Diagnostics
import Foundation
import HDF5
import Models
import Testing
import TestSupport

/// Inception-v3 with the weights of the recorded features.
@Suite("Inception-v3", .serialized)
struct InceptionTests {
  static let network = Result {
    try FeatureNetwork(architecture: .inceptionV3, source: try FormulaInception(), origin: "formula")
  }

  private func network() throws -> FeatureNetwork { try Self.network.get() }
  private func recorded() throws -> Recorded { try Recorded(FormulaInception.fixture) }

  /// Images of a group as bytes in this package's order, and their height, width and channels.
  private func images(_ group: String, first count: Int? = nil) throws -> (bytes: [UInt8], shape: [Int]) {
    let all = try recorded().images(group + "/images_uint8_nchw")
    let some = all.rows(0..<(count ?? all.shape[0]))
    return (some.values.map { UInt8($0) }, Array(all.shape.dropFirst()))
  }

  private func distance(_ tensor: Tensor, _ dataset: String) throws -> Distance {
    Distance(tensor.values.map(Double.init), try recorded().numbers(dataset))
  }

  /// What the record's own distance from double precision allows.
  private func expectClose(_ distance: Distance, _ what: String, _ location: SourceLocation = #_sourceLocation) {
    #expect(
      distance.maximum <= 2e-5 && distance.relative <= 5e-6, "\(what): \(distance)", sourceLocation: location)
  }

  @Test("The formula's weights are those of the record")
  func weights() throws {
    let formula = try FormulaInception()
    let group = try recorded().root.group("weights_check")
    for name in group.names {
      let dataset = try group.dataset("\(name)/first8")
      let tensor = try formula.tensor(name)
      #expect(try Array(tensor.values.prefix(8)) == dataset.read(Float.self))
    }
  }

  @Test(
    "Features equal the recorded ones, in every mode and both conventions",
    arguments: KernelMode.allCases,
    [
      ("rgb32", "rgb32/features", "pytorch-fid"), ("rgb64", "rgb64/features", "pytorch-fid"),
      ("gray32", "gray32/features", "pytorch-fid"),
      ("rgb32", "unverified_nvidia_preprocessing/rgb32_first2_features", "tensorflow"),
      ("rgb64", "unverified_nvidia_preprocessing/rgb64_first4_features", "tensorflow"),
    ])
  func features(mode: KernelMode, record: (images: String, features: String, convention: String)) throws {
    let count = try recorded().root.dataset(record.features).shape[0]
    let images = try images(record.images, first: count)
    let convention = try #require(InputConvention(rawValue: record.convention))
    let outputs = try KernelSet.with(mode) {
      try network().outputs(images: images.bytes, shape: images.shape, convention: convention)
    }
    #expect(outputs.features.shape == [count, 2048])
    let distance = try distance(outputs.features, record.features)
    expectClose(distance, "\(mode) \(record)")
  }

  @Test("The results of every stage equal the recorded ones", arguments: KernelMode.allCases)
  func stages(mode: KernelMode) throws {
    let images = try images("rgb32", first: 2)
    var results: [String: Tensor] = [:]
    _ = try KernelSet.with(mode) {
      try network().observedOutputs(images: images.bytes, shape: images.shape, convention: .pytorchFID) {
        results[$0] = $1
      }
    }
    let names = try recorded().names("stages_of_rgb32_first_2_images")
    #expect(names.count == 19)
    for name in names {
      let prefix = "stages_of_rgb32_first_2_images/\(name)"
      let result = try #require(results[name])
      let slice = try recorded().root.dataset(prefix + "/slice").shape
      let nchw = result.nchw
      let (channels, height, width) = (nchw.shape[1], nchw.shape[2], nchw.shape[3])
      let values = nchw.values
      var corner: [Double] = []
      for index in 0..<slice.reduce(1, *) {
        let (x, y) = (index % slice[3], index / slice[3] % slice[2])
        let (c, n) = (index / slice[3] / slice[2] % slice[1], index / slice[3] / slice[2] / slice[1])
        corner.append(Double(values[((n * channels + c) * height + y) * width + x]))
      }
      let distance = Distance(corner, try recorded().numbers(prefix + "/slice"))
      expectClose(distance, "\(mode) \(name)")
      let means = (0..<channels).map { channel -> Double in
        let first = channel * height * width
        return values[first..<first + height * width].reduce(0) { $0 + Double($1) } / Double(height * width)
      }
      expectClose(Distance(means, try recorded().numbers(prefix + "/per_channel_mean_image0")), "\(mode) \(name)")
      let moments = try recorded().numbers(prefix + "/mean_std_min_max_abs_sum")
      let sum = values.reduce(0) { $0 + abs(Double($1)) }
      #expect(abs(sum - moments[4]) < 5e-6 * moments[4])
      #expect(abs(Double(values.max() ?? 0) - moments[3]) < 2e-5)
    }
  }

  @Test(
    "Images are resized as recorded",
    arguments: [
      (InputConvention.pytorchFID, "resized_rgb32_image0/rows_0_1_150_298"),
      (.tensorflow, "unverified_nvidia_preprocessing/rgb32_image0_rows_0_1_150_298"),
    ])
  func resized(convention: InputConvention, dataset: String) throws {
    let images = try images("rgb32", first: 1)
    var input: Tensor?
    _ = try network().observedOutputs(images: images.bytes, shape: images.shape, convention: convention) {
      if $0 == "input" { input = $1 }
    }
    let values = try #require(input).nchw.values
    var rows: [Double] = []
    for channel in 0..<3 {
      for row in [0, 1, 150, 298] {
        let start = (channel * 299 + row) * 299
        rows += values[start..<start + 299].map(Double.init)
      }
    }
    let distance = Distance(rows, try recorded().numbers(dataset))
    #expect(distance.maximum < 1e-6, "\(distance)")
  }

  @Test("Scores leave the output's bias out; with it they are the recorded logits")
  func scores() throws {
    let images = try images("rgb32")
    let outputs = try network().outputs(
      images: images.bytes, shape: images.shape, convention: .pytorchFID, wanted: [.features, .scores])
    let scores = try #require(outputs.scores)
    #expect(scores.shape == [16, 1008])
    let bias = try FormulaInception().tensor("fc.bias").values
    let logits = scores.values.enumerated().map { Double($1) + Double(bias[$0 % 1008]) }
    expectClose(Distance(logits, try recorded().numbers("logits_with_bias_rgb32")), "logits")
    var probabilities: [Double] = []
    for row in 0..<16 {
      let exponentials = scores.values[row * 1008..<(row + 1) * 1008].map { exp(Double($0)) }
      let sum = exponentials.reduce(0, +)
      probabilities += exponentials.map { $0 / sum }
    }
    expectClose(Distance(probabilities, try recorded().numbers("softmax_without_bias_rgb32")), "softmax")
  }

  @Test("Spatial features are the first seven channels of Mixed_6d by row, column and channel")
  func spatial() throws {
    let images = try images("rgb32", first: 3)
    var stage: [Tensor] = []
    let outputs = try network().observedOutputs(
      images: images.bytes, shape: images.shape, convention: .tensorflow, wanted: [.features, .spatial]
    ) { if $0 == "Mixed_6d" { stage.append($1) } }
    let spatial = try #require(outputs.spatial)
    #expect(spatial.shape == [3, 2023])
    #expect(try network().spatialCount == 2023)
    #expect(outputs.scores == nil)
    let pixels = stage.flatMap(\.values)
    #expect(pixels.count == 3 * 289 * 768)
    let expected = (0..<3 * 289).flatMap { pixel in Array(pixels[pixel * 768..<pixel * 768 + 7]) }
    #expect(spatial.values == expected)
  }

  @Test("An image's features do not depend on its neighbours or on the number of threads")
  func independent() throws {
    let images = try images("rgb32")
    let bytes = images.shape.reduce(1, *)
    func features(_ bytes: ArraySlice<UInt8>) throws -> [Float] {
      try network().outputs(images: Array(bytes), shape: images.shape, convention: .tensorflow).features.values
    }
    let all = try features(images.bytes[...])
    #expect(try features(images.bytes[5 * bytes..<6 * bytes]) == Array(all[5 * 2048..<6 * 2048]))
    #expect(try features(images.bytes[3 * bytes..<8 * bytes]) == Array(all[3 * 2048..<8 * 2048]))
    // More than go through at once.
    let many = try features((images.bytes + images.bytes + images.bytes)[...])
    #expect(Array(many.suffix(all.count)) == all)
    let threads = Threads.count
    defer { Threads.use(threads) }
    for count in [1, 3] {
      Threads.use(count)
      #expect(try features(images.bytes[..<(2 * bytes)]) == Array(all[..<4096]))
    }
    #expect(try features([]).isEmpty)
  }

  @Test("What the network says of itself")
  func description() throws {
    let network = try network()
    #expect(network.conventions == [.pytorchFID, .tensorflow])
    #expect((network.featureCount, network.scoreCount) == (2048, 1008))
    // 5.7 billion multiply-adds, as the paper's authors count.
    #expect(abs(network.flopsPerImage / 2 - 5.71e9) < 0.02e9)
    // 23.9 million weights and about 39 million prepared ones.
    let (some, many) = (network.memoryBytes(images: 32), network.memoryBytes(images: 50_000))
    #expect(some == many && network.memoryBytes(images: 1) < some)
    #expect((350 << 20..<450 << 20).contains(some))
    for shape in [[32, 32, 3], [28, 28, 1], [1, 1, 3], [300, 200, 3]] {
      try network.requireImageShape(shape, origin: "images.h5")
    }
    for shape in [[32, 32, 4], [32, 32], [0, 5, 3]] {
      #expect(throws: Failure.self) { try network.requireImageShape(shape, origin: "images.h5") }
    }
  }

  @Test(
    "Images of other sizes, gray or flat, give finite features", arguments: [[7, 300, 1], [1, 1, 3], [299, 299, 3]])
  func sizes(shape: [Int]) throws {
    let bytes = (0..<shape.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    for convention in try network().conventions {
      let features = try network().outputs(images: bytes, shape: shape, convention: convention).features
      #expect(features.values.allSatisfy { $0.isFinite })
    }
  }

  /// A state_dict with some entries replaced, added or left out.
  private struct Changed: TensorSource {
    let base: FormulaInception
    var shapes: [String: [Int]] = [:]
    var missing: Set<String> = []
    var value: Float = 0
    var tensorNames: [String] { base.tensorNames.filter { !missing.contains($0) } + shapes.keys.sorted() }
    func shape(of name: String) -> [Int]? { missing.contains(name) ? nil : shapes[name] ?? base.shape(of: name) }
    func tensor(_ name: String) throws -> Tensor {
      if let shape = shapes[name] { return Tensor(shape: shape, repeating: value) }
      return try base.tensor(name)
    }
  }

  @Test("Networks that are not the one of the FID are refused with the reason")
  func refused() throws {
    let base = try FormulaInception()
    func failure(_ source: Changed) -> Failure? {
      #expect(throws: Failure.self) {
        try FeatureNetwork(architecture: .inceptionV3, source: source, origin: "weights.pth")
      }
    }
    let torchvision = failure(Changed(base: base, shapes: ["fc.weight": [1000, 2048], "fc.bias": [1000]]))
    #expect(torchvision?.problem.contains("torchvision") == true)
    #expect(torchvision?.remedy?.contains("pt_inception-2015-12-05-6726825d.pth") == true)
    #expect(
      failure(Changed(base: base, shapes: ["AuxLogits.fc.bias": [1000]]))?.problem.contains("torchvision") == true)
    #expect(
      failure(Changed(base: base, missing: ["Mixed_6e.branch_pool.bn.bias"]))?.problem.contains("is missing") == true)
    #expect(failure(Changed(base: base, shapes: ["Mixed_8a.conv.weight": [2]]))?.problem.contains("no layer") == true)
    #expect(
      failure(Changed(base: base, shapes: ["Mixed_5b.branch_pool.conv.weight": [64, 192, 1, 1]]))?.problem.contains(
        "has shape") == true)
    #expect(
      failure(Changed(base: base, shapes: ["Conv2d_1a_3x3.bn.bias": [32]], value: .nan))?.problem.contains("finite")
        == true)
    #expect(
      failure(Changed(base: base, shapes: ["Conv2d_1a_3x3.bn.running_var": [32]], value: -1))?.problem.contains(
        "variance") == true)
    let counters = Set(base.tensorNames.filter { $0.hasSuffix("num_batches_tracked") })
    #expect(counters.count == 94)
    #expect(try FeatureArchitecture(inferredFrom: Changed(base: base, missing: counters), origin: "") == .inceptionV3)
  }
}
