import Compute
import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

import Models

@Suite("Weights that stay in the file until a layer needs them")
struct DeferredWeightsTests {
  let folder: TemporaryFolder
  let path: String

  /// A network whose inner convolutions are large enough to be deferred.
  init() throws {
    folder = try TemporaryFolder()
    path = folder.file("network.h5")
    let configuration = try #require(NetworkConfiguration.published("digits"))
    let network = try Network(
      configuration: configuration, source: RandomParameters(for: configuration, seed: 3, origin: "digits"),
      origin: "digits")
    try HDF5File.publish(path) { try network.write(to: $0) }
  }

  private func images(_ network: Network) -> [Float] {
    let x = Philox(seed: 1).normals(3 * network.imageShape.reduce(1, *), stream: (0, 0))
    return network.denoise(Tensor(x, shape: [3] + network.imageShape), sigma: [2.5]).values
  }

  @Test(
    "Images and weights are those of a network that was read whole", arguments: [KernelMode.fast, .accurate, .exact])
  func same(mode: KernelMode) throws {
    let whole = try Network(contentsOf: path)
    let deferring = try Network(contentsOf: path, deferringWeights: true)
    #expect(deferring.parameters.contains { $0.isDeferred })
    #expect(!whole.parameters.contains { $0.isDeferred })
    KernelSet.with(mode) { #expect(images(deferring) == images(whole)) }
    for index in whole.specifications.indices {
      #expect(deferring.stateDictTensor(index).values == whole.stateDictTensor(index).values)
    }
    #expect(!deferring.parameters.contains { $0.isDeferred })
  }

  @Test("Fast kernels read them from the file only")
  func staysDeferred() throws {
    let network = try Network(contentsOf: path, deferringWeights: true)
    let before = network.parameters.count { $0.isDeferred }
    KernelSet.with(.fast) { _ = images(network) }
    #expect(before > 0 && network.parameters.count { $0.isDeferred } == before)
  }

  @Test("A number that is not finite is found without reading them into memory")
  func notFinite() throws {
    let specification = try #require(
      try Network(contentsOf: path).specifications.last { $0.shape.count == 4 && $0.shape.reduce(1, *) >= 1 << 14 })
    let whole = try Network(contentsOf: path)
    let broken = folder.file("broken.h5")
    try HDF5File.publish(broken) { file in
      try whole.write(to: file)
      var values = try file.root.dataset("parameters/\(specification.name)").read(Float.self)
      values[values.count - 1] = .infinity
      try file.root.dataset("parameters/\(specification.name)").write(values, rows: 0..<specification.shape[0])
    }
    let failure = #expect(throws: Failure.self) { try Network(contentsOf: broken, deferringWeights: true) }
    #expect(failure?.description.contains(specification.name) == true)
  }

  @Test("A file that shrinks meanwhile gives images that are not finite, and no crash")
  func truncated() throws {
    let network = try Network(contentsOf: path, deferringWeights: true)
    #expect(truncate(path, 4096) == 0)
    #expect(images(network).contains { !$0.isFinite })
  }
}
