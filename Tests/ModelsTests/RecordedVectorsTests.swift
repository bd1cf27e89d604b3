import Checkpoints
import Compute
import Diagnostics
import HDF5
import Models
import TestSupport
import Testing

@Suite("A network is compared with recorded vectors")
struct RecordedVectorsTests {
  static func network(_ name: String) throws -> Network {
    let (configuration, module) = try EDMConfigurationTests.configuration(
      Fixtures.path("golden/checkpoints/\(name).pkl"))
    return try Network(configuration: configuration, source: module, origin: name)
  }

  @Test(
    "Every golden network gives its recorded outputs",
    arguments: GoldenNetworkTests.names)
  func golden(name: String) throws {
    Threads.use(2)
    let network = try Self.network(name)
    let vectors = try RecordedVectors(contentsOf: Fixtures.path("golden/nets/\(name).h5"), for: network)
    let comparisons = vectors.compare(network, progress: { _ in })
    #expect(vectors.unknownOutputs.isEmpty)
    #expect(comparisons.count >= 6)
    #expect(comparisons.contains { $0.name == "D_x_without_class_labels" } == (network.configuration.labelDim > 0))
    for comparison in comparisons {
      #expect(comparison.isAccepted, "\(comparison)")
    }
  }

  @Test("Vectors of another network are refused")
  func mismatch() throws {
    let network = try Self.network("sid_a_teacher")
    #expect(throws: Failure.self) {
      try RecordedVectors(contentsOf: Fixtures.path("golden/nets/edm_ddpmpp_cond.h5"), for: network)
    }
    let unconditional = try Self.network("edm_skip_extra")
    #expect(throws: Failure.self) {
      try RecordedVectors(contentsOf: Fixtures.path("golden/nets/edm_ddpmpp_cond.h5"), for: unconditional)
    }
    #expect(throws: Failure.self) {
      try RecordedVectors(contentsOf: Fixtures.path("golden/layers/layers.h5"), for: unconditional)
    }
  }
}
