import Compute
import Foundation
import Models
import TestSupport
import Testing

@Suite("Configurations that make no network are refused")
struct ConfigurationTests {
  typealias Change = @Sendable (inout NetworkConfiguration) -> Void

  static let changes: [(name: String, change: Change)] = [
    ("groups", { $0.modelChannels = 132 }), ("img_resolution", { $0.imgResolution = 30 }),
    ("resample_filter", { $0.resampleFilter = [1, -1] }), ("dropout", { $0.dropout = 1 }),
    ("sigma_min", { $0.sigmaMin = .nan }), ("encoder_type", { $0.encoderType = "other" }),
    ("decoder_type", { $0.decoderType = "residual" }), ("embedding_type", { $0.embeddingType = "learned" }),
    ("\"EDM\"", { $0.precond = "EDM" }), ("model_type", { $0.modelType = "UNet" }),
    ("label_dropout", { $0.labelDropout = 1.5 }), ("sigma_min", { $0.sigmaMin = -1 }),
    ("sigma_data", { $0.sigmaData = 0 }), ("beta_d", { $0.betaD = 0 }), ("epsilon_t", { $0.epsilonT = 1 }),
    ("M 0", { $0.noiseSteps = 0 }), ("C_1", { $0.c1 = 0 }), ("C_2", { $0.c2 = .nan }),
  ]

  @Test("by name", arguments: 0..<changes.count)
  func refused(index: Int) throws {
    let (name, change) = Self.changes[index]
    var configuration = try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl").configuration
    change(&configuration)
    #expect {
      _ = try Network(configuration: configuration, source: NoTensors(), origin: "network.h5")
    } throws: { "\($0)".hasPrefix("network.h5: ") && "\($0)".contains(name) }
  }

  private struct NoTensors: TensorSource {
    var tensorNames: [String] { [] }
    func shape(of name: String) -> [Int]? { nil }
    func tensor(_ name: String) throws -> Tensor { throw CancellationError() }
  }
}
