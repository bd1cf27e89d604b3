import Checkpoints
import Compute
import Diagnostics
import Files
import Models
import TestSupport
import Testing

@Suite("The architecture of a network saved by EDM or SiD")
struct EDMConfigurationTests {
  static func configuration(_ path: String, key: String = "ema") throws -> (NetworkConfiguration, CheckpointModule) {
    let module = try Checkpoint.open(path).module(key)
    let configuration = try NetworkConfiguration(
      className: module.className, modelClassName: module.modelClassName, initKeywords: module.initKeywords,
      attributes: module.attributes, origin: path)
    return (configuration, module)
  }

  @Test(
    "Its tensors fit it, by name and shape",
    arguments: [
      "edm_ddpmpp_uncond.pkl", "edm_ddpmpp_cond.pkl", "edm_ncsnpp_uncond.pkl", "edm_skip_extra.pkl",
      "edm_ddpmpp_uncond_published_style_names.pkl", "sid_a_teacher.pkl", "sid_b_teacher.pkl",
      "edm_adm_cond.pkl", "vp_ddpmpp_uncond.pkl", "ve_ncsnpp_uncond.pkl", "iddpm_adm_cond.pkl",
    ])
  func fits(name: String) throws {
    let path = Fixtures.path("golden/checkpoints/" + name)
    let (configuration, module) = try Self.configuration(path)
    let network = try Network(configuration: configuration, source: module, origin: path)
    #expect(network.specifications.map(\.name) == module.tensorNames)
    for (index, name) in module.tensorNames.enumerated() {
      #expect(try network.stateDictTensor(index).values == module.tensor(name).values, "\(name)")
    }
  }

  @Test("Every option arrives")
  func options() throws {
    let (ncsnpp, _) = try Self.configuration(Fixtures.path("golden/checkpoints/edm_ncsnpp_uncond.pkl"))
    #expect(ncsnpp.precond == "EDMPrecond" && ncsnpp.modelType == "SongUNet")
    #expect(ncsnpp.imgResolution == 16 && ncsnpp.imgChannels == 3 && ncsnpp.labelDim == 0 && ncsnpp.augmentDim == 9)
    #expect(ncsnpp.modelChannels == 16 && ncsnpp.channelMult == [1, 2, 1] && ncsnpp.channelMultNoise == 2)
    #expect(ncsnpp.numBlocks == 1 && ncsnpp.attnResolutions == [8] && ncsnpp.dropout == 0.13)
    #expect(ncsnpp.embeddingType == "fourier" && ncsnpp.encoderType == "residual" && ncsnpp.decoderType == "standard")
    #expect(ncsnpp.resampleFilter == [1, 3, 3, 1] && ncsnpp.sigmaMin == 0 && ncsnpp.sigmaMax == .infinity)
    let (vp, _) = try Self.configuration(Fixtures.path("golden/checkpoints/vp_ddpmpp_uncond.pkl"))
    #expect(vp.precond == "VPPrecond" && vp.betaD == 19.9 && vp.betaMin == 0.1 && vp.noiseSteps == 1000)
    #expect(vp.epsilonT == 1e-5 && vp.sigmaMin == 0.0009765625 && vp.sigmaMax == 152.16697692871094)
    let (ve, _) = try Self.configuration(Fixtures.path("golden/checkpoints/ve_ncsnpp_uncond.pkl"))
    #expect(ve.precond == "VEPrecond" && ve.sigmaMin == 0.02 && ve.sigmaMax == 100)
    let (iddpm, _) = try Self.configuration(Fixtures.path("golden/checkpoints/iddpm_adm_cond.pkl"))
    #expect(iddpm.precond == "iDDPMPrecond" && iddpm.c1 == 0.001 && iddpm.c2 == 0.008 && iddpm.noiseSteps == 1000)
    #expect(iddpm.sigmaMin == 0.006422337144613266 && iddpm.sigmaMax == 20291.171875)
    let (digits, _) = try Self.configuration(Fixtures.digits("teacher.pkl"))
    #expect(digits.imgResolution == 8 && digits.imgChannels == 1 && digits.labelDim == 10 && digits.augmentDim == 0)
    let (state, module) = try Self.configuration(
      Fixtures.path("golden/checkpoints/sid_a_training-state-000000.pt"), key: "G_ema")
    _ = try Network(configuration: state, source: module, origin: "G_ema")
  }

  static let minimal: [String: PlainValue] = ["img_resolution": .integer(8), "img_channels": .integer(1)]

  @Test("An attribute wins over the argument; defaults are the class's")
  func attributesWin() throws {
    let configuration = try NetworkConfiguration(
      className: "EDMPrecond", modelClassName: "SongUNet",
      initKeywords: Self.minimal.merging(["sigma_data": .real(0.5), "use_fp16": .flag(true)]) { $1 },
      attributes: ["sigma_data": .real(0.25), "sigma_max": .real(.infinity), "training": .flag(false)], origin: "x")
    #expect(configuration.sigmaData == 0.25)
    #expect(configuration.modelChannels == 128)
    #expect(configuration.channelMult == [1, 2, 2, 2])
    #expect(configuration.numBlocks == 4)
    #expect(configuration.attnResolutions == [16])
    #expect(configuration.dropout == 0.1)
  }

  @Test("What is not known is refused by name")
  func unknown() throws {
    func refusal(
      _ className: String = "EDMPrecond", _ model: String = "SongUNet", _ options: [String: PlainValue] = [:]
    ) -> String {
      do {
        _ = try NetworkConfiguration(
          className: className, modelClassName: model, initKeywords: Self.minimal.merging(options) { $1 },
          origin: "x.pkl")
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(refusal("SDEPrecond").contains("SDEPrecond"))
    #expect(refusal("VPPrecond", "SongUNet", ["sigma_data": .real(0.5)]).contains("\"sigma_data\""))
    #expect(refusal("EDMPrecond", "SongUNet", ["beta_d": .real(19.9)]).contains("\"beta_d\""))
    #expect(refusal("EDMPrecond", "OtherUNet").contains("OtherUNet"))
    #expect(refusal("EDMPrecond", "SongUNet", ["model_type": .text("DhariwalUNet")]).contains("SongUNet"))
    #expect(
      refusal("EDMPrecond", "DhariwalUNet", ["encoder_type": .text("standard")]).contains("\"encoder_type\""))
    #expect(refusal("EDMPrecond", "SongUNet", ["flux_capacitor": .integer(1)]).contains("\"flux_capacitor\""))
    #expect(refusal("EDMPrecond", "SongUNet", ["num_blocks": .text("many")]).contains("\"num_blocks\""))
    #expect(throws: Failure.self) {
      try NetworkConfiguration(className: "EDMPrecond", modelClassName: "SongUNet", initKeywords: [:], origin: "x")
    }
  }

  @Test("Absurd values are refused, not computed with")
  func absurd() throws {
    struct NoTensors: TensorSource {
      let tensorNames: [String] = []
      func shape(of name: String) -> [Int]? { nil }
      func tensor(_ name: String) throws -> Tensor { throw Failure(.dataError, name, "missing") }
    }
    let values: [(String, PlainValue)] = [
      ("resample_filter", .list([.integer(.max), .integer(.max)])), ("model_channels", .integer(.max - 3)),
      ("channel_mult", .list(Array(repeating: .integer(64), count: 1000))), ("num_blocks", .integer(.max)),
      ("img_resolution", .integer(.min)), ("label_dim", .integer(.max)), ("augment_dim", .integer(-1)),
      ("sigma_data", .real(.nan)), ("dropout", .real(1)), ("channel_mult_emb", .integer(.max)),
    ]
    for (name, value) in values {
      let failure = #expect(throws: Failure.self, "\(name)") {
        let configuration = try NetworkConfiguration(
          className: "EDMPrecond", modelClassName: "SongUNet", initKeywords: Self.minimal.merging([name: value]) { $1 },
          origin: "x")
        _ = try Network(configuration: configuration, source: NoTensors(), origin: "x")
      }
      #expect(failure?.description.contains("is missing") == false, "\(name): \(String(describing: failure))")
    }
  }

  @Test("Well-formed pickles whose shapes do not fit are refused")
  func wrongShape() throws {
    let path = Fixtures.path("golden/robustness/wrong_shape_for_config.pkl")
    let (configuration, module) = try Self.configuration(path)
    #expect(throws: Failure.self) { try Network(configuration: configuration, source: module, origin: path) }
    let (nan, nanModule) = try Self.configuration(Fixtures.path("golden/robustness/all_weights_nan.pkl"))
    #expect(try Network(configuration: nan, source: nanModule, origin: "nan").firstNonFiniteParameter != nil)
  }
}
