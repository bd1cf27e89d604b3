import Checkpoints
import Compute
import Files
import Foundation
import TestSupport
import Testing

/// The tensors of network (a) of the golden set, however they were saved.
@Suite("Every format gives the same tensors")
struct FormatTests {
  static let reference = "golden/checkpoints/edm_ddpmpp_uncond.pkl"

  @Test(
    "Bit for bit",
    arguments: [
      ("edm_ddpmpp_uncond_published_style_names.pkl", "ema", Checkpoint.Kind.pickle),
      ("edm_ddpmpp_uncond_state_dict.pt", nil, .torchZip),
      ("edm_ddpmpp_uncond_state_dict_legacy.pt", nil, .torchLegacy),
      ("edm_ddpmpp_uncond.safetensors", nil, .safetensors),
    ] as [(String, String?, Checkpoint.Kind)])
  func sameBits(name: String, key: String?, kind: Checkpoint.Kind) throws {
    let expected = try Checkpoint.open(Fixtures.path(Self.reference)).module("ema")
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/checkpoints/" + name))
    #expect(checkpoint.kind == kind)
    let found = try key.map { try checkpoint.module($0).tensors } ?? checkpoint.stateDictionary()
    #expect(expected.tensorNames.count == 147)
    if kind == .safetensors {
      #expect(found.tensorNames.sorted() == expected.tensorNames.sorted())
    } else {
      #expect(found.tensorNames == expected.tensorNames)
    }
    for name in expected.tensorNames {
      #expect(found.shape(of: name) == expected.shape(of: name))
      let bits = try found.tensor(name).values.map(\.bitPattern)
      #expect(try bits == expected.tensor(name).values.map(\.bitPattern), "\(name)")
    }
  }

  @Test("A module tells its classes, its arguments and its attributes")
  func description() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/checkpoints/edm_ncsnpp_uncond.pkl"))
    #expect(checkpoint.keys == ["ema", "loss_fn", "augment_pipe", "dataset_kwargs"])
    #expect(checkpoint.moduleKeys == ["ema"])
    #expect(
      checkpoint.plainValue("dataset_kwargs")
        == .dictionary(["path": .text("datasets/tiny.zip"), "use_labels": .flag(false)]))
    let module = try checkpoint.module("ema")
    #expect(module.className == "EDMPrecond")
    #expect(module.modelClassName == "SongUNet")
    #expect(module.initPositionalCount == 0)
    #expect(module.initKeywords["channel_mult"]?.integerValues == [1, 2, 1])
    #expect(module.initKeywords["embedding_type"] == .text("fourier"))
    #expect(module.initKeywords["dropout"] == .real(0.13))
    #expect(module.attributes["sigma_max"] == .real(.infinity))
    #expect(module.attributes["sigma_data"] == .real(0.5))
    #expect(module.attributes["use_fp16"] == .flag(false))
    #expect(module.modelAttributes["label_dropout"] == .integer(0))
    #expect(module.modelInitKeywords["in_channels"] == .integer(3))
    #expect(module.tensorNames.contains("model.map_noise.freqs"))
  }

  @Test("State-dict order: a module's own parameters and buffers before its children's")
  func order() throws {
    let module = try Checkpoint.open(Fixtures.path("golden/checkpoints/sid_a_teacher.pkl")).module("ema")
    let names = module.tensorNames
    #expect(Array(names.prefix(3)) == ["model.map_augment.weight", "model.map_layer0.weight", "model.map_layer0.bias"])
    #expect(names.last == "model.dec.8x8_aux_conv.bias")
    #expect(module.shape(of: "model.enc.8x8_conv.weight") == [8, 3, 3, 3])
  }

  @Test("The digits teacher and its feature network")
  func digits() throws {
    let teacher = try Checkpoint.open(Fixtures.digits("teacher.pkl")).module("ema")
    #expect(teacher.tensorNames.count == 146)
    #expect(teacher.initKeywords["img_resolution"] == .integer(8))
    let features = try Checkpoint.open(Fixtures.digits("features.safetensors")).stateDictionary()
    #expect(features.shape(of: "fc1.weight") == [64, 768])
  }

  @Test("SiD's training state: three networks and two optimizers")
  func trainingState() throws {
    let state = try Checkpoint.open(Fixtures.path("golden/checkpoints/sid_a_training-state-000000.pt"))
    #expect(state.moduleKeys == ["fake_score", "G", "G_ema"])
    let fakeScore = try state.module("fake_score")
    let optimizer = try state.optimizerState("fake_score_optimizer_state")
    let parameters = fakeScore.tensorNames.filter { !$0.hasSuffix("resample_filter") }
    #expect(optimizer.parameterCount == parameters.count)
    // The first parameter, map_augment, gets no gradient without augmentation.
    #expect(optimizer.parameterIndices == Array(1..<parameters.count))
    for index in optimizer.parameterIndices {
      let second = try optimizer.tensor("exp_avg_sq", parameter: index)
      #expect(second.shape == fakeScore.shape(of: parameters[index]))
      #expect(second.values.allSatisfy { $0 >= 0 && $0.isFinite })
      #expect(try optimizer.tensor("step", parameter: index).values == [5])
    }
    #expect(optimizer.parameterGroups[0]["betas"] == .list([.real(0), .real(0.999)]))
    #expect(try state.optimizerState("g_optimizer_state").parameterIndices.first == 0)
    #expect(throws: (any Error).self) { try optimizer.tensor("exp_avg", parameter: 0) }
  }

  @Test("numpy's arrays: stored and deflated, in both orders of elements")
  func numpy() throws {
    let plain = try Checkpoint.open(Fixtures.path("golden/fid/reference_stats_24d.npz"))
    #expect(plain.kind == .numpyArchive)
    let packed = try Checkpoint.open(Fixtures.path("golden/fid/reference_stats_24d_compressed.npz"))
    let (a, b) = (try plain.stateDictionary(), try packed.stateDictionary())
    #expect(a.tensorNames == ["mu", "sigma"])
    #expect(a.shape(of: "sigma") == [24, 24])
    #expect(a.elementType(of: "mu") == .float64)
    for name in a.tensorNames { #expect(try a.tensor(name).values == b.tensor(name).values) }

    let folder = try TemporaryFolder()
    let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8))
    for value in 0..<6 { withUnsafeBytes(of: Float(value).bitPattern.littleEndian) { data.append(contentsOf: $0) } }
    try data.write(to: URL(fileURLWithPath: folder.file("x.npy")))
    let array = try Checkpoint.open(folder.file("x.npy"))
    #expect(array.kind == .numpyArray)
    #expect(try array.stateDictionary().tensor("array").values == [0, 2, 4, 1, 3, 5])
    try data.dropLast().write(to: URL(fileURLWithPath: folder.file("x.npy")))
    #expect(throws: (any Error).self) { try Checkpoint.open(folder.file("x.npy")) }
  }

  @Test("What is written is read back, with the texts beside it", arguments: StateDictionaryFile.Format.allCases)
  func written(format: StateDictionaryFile.Format) throws {
    let folder = try TemporaryFolder()
    let tensors = [
      "a.weight": Tensor([1, -2, .infinity, 0.1, -0.0, 1e-30], shape: [2, 3]), "b \"é\"": Tensor([7], shape: []),
    ]
    let names = tensors.keys.sorted()
    let file = StateDictionaryFile(
      entries: names.map { ($0, tensors[$0]?.shape ?? []) }, metadata: ["config": "{\"x\": 1}", "format": "pt"])
    try file.write(to: folder.file("x"), format: format) { tensors[names[$0]] ?? Tensor(shape: []) }
    let checkpoint = try Checkpoint.open(folder.file("x"))
    #expect(checkpoint.metadata == file.metadata)
    let found = try checkpoint.stateDictionary()
    #expect(found.tensorNames == names)
    for name in names {
      #expect(found.shape(of: name) == tensors[name]?.shape)
      #expect(try found.tensor(name).values.map(\.bitPattern) == tensors[name]?.values.map(\.bitPattern))
    }
  }

  @Test("half, bfloat16 and float64 tensors become float32")
  func otherTypes() throws {
    let folder = try TemporaryFolder()
    let header =
      #"{"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"#
      + #""data_offsets":[8,12]},"d":{"dtype":"F64","shape":[1],"data_offsets":[12,20]}}"#
    var data = Data()
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
    data.append(contentsOf: header.utf8)
    for bits: UInt16 in [0x3C00, 0xC500, 0x0001, 0xFC00, 0x3F80, 0xC000] {
      withUnsafeBytes(of: bits.littleEndian) { data.append(contentsOf: $0) }
    }
    withUnsafeBytes(of: (0.1).bitPattern.littleEndian) { data.append(contentsOf: $0) }
    try data.write(to: URL(fileURLWithPath: folder.file("x.safetensors")))
    let tensors = try Checkpoint.open(folder.file("x.safetensors")).stateDictionary()
    #expect(tensors.tensorNames == ["h", "b", "d"])
    #expect(try tensors.tensor("h").values == [1, -5, 0x1p-24, -.infinity])
    #expect(try tensors.tensor("b").values == [1, -2])
    #expect(try tensors.tensor("d").values == [0.1])
  }
}
