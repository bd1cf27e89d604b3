import Compute
import Foundation
import Models

/// A snapshot as EDM and SiD save them, `{"ema": EDMPrecond}` in a pickle, of random parameters: a stand-in for a
/// published file, with the architecture of one.
public enum EDMSnapshot {
  /// Writes a snapshot of an EDM-preconditioned network.
  /// - Parameters:
  ///   - configuration: the architecture; what it does not say of the published ones has the class's default.
  ///   - seed: of the parameters.
  ///   - path: the file.
  public static func write(_ configuration: NetworkConfiguration, seed: UInt64, to path: String) throws {
    let parameters = try RandomParameters(for: configuration, seed: seed, origin: path)
    var root = Module()
    for name in parameters.tensorNames {
      root.add(name.split(separator: ".").map(String.init)[...], try parameters.tensor(name))
    }
    var pickle = Pickle()
    pickle.bytes += [0x80, 2]
    pickle.bytes += Array("}".utf8)
    pickle.text("ema")
    pickle.object(
      "EDMPrecond", root, initKeywords: keywords(of: configuration), children: ["model": configuration.modelType])
    pickle.bytes += Array("s.".utf8)
    try Data(pickle.bytes).write(to: URL(fileURLWithPath: path))
  }

  /// The arguments that EDM's trainer makes the network with.
  private static func keywords(of c: NetworkConfiguration) -> [(String, Value)] {
    var keywords: [(String, Value)] = [
      ("img_resolution", .integer(c.imgResolution)), ("img_channels", .integer(c.imgChannels)),
      ("label_dim", .integer(c.labelDim)), ("model_type", .text(c.modelType)),
      ("model_channels", .integer(c.modelChannels)), ("channel_mult", .integers(c.channelMult)),
      ("augment_dim", .integer(c.augmentDim)), ("num_blocks", .integer(c.numBlocks)),
      ("attn_resolutions", .integers(c.attnResolutions)), ("dropout", .real(Double(c.dropout))),
      ("use_fp16", .flag(true)),
    ]
    if c.modelType == "SongUNet" {
      keywords += [
        ("embedding_type", .text(c.embeddingType)), ("encoder_type", .text(c.encoderType)),
        ("decoder_type", .text(c.decoderType)), ("channel_mult_noise", .integer(c.channelMultNoise)),
        ("resample_filter", .integers(c.resampleFilter)),
      ]
    }
    return keywords
  }

  /// Modules by name, as state_dict names nest them.
  private struct Module {
    var tensors: [(String, Tensor)] = []
    var children: [(String, Module)] = []

    mutating func add(_ name: ArraySlice<String>, _ tensor: Tensor) {
      guard let first = name.first else { return }
      guard name.count > 1 else { return tensors.append((first, tensor)) }
      if !children.contains(where: { $0.0 == first }) { children.append((first, Module())) }
      for index in children.indices where children[index].0 == first { children[index].1.add(name.dropFirst(), tensor) }
    }
  }

  private enum Value {
    case integer(Int)
    case real(Double)
    case text(String)
    case flag(Bool)
    case integers([Int])
  }

  /// A pickle of protocol 2, without memo.
  private struct Pickle {
    var bytes: [UInt8] = []
    private var storages = 0

    mutating func code(_ text: String) { bytes += Array(text.utf8) }

    mutating func text(_ text: String) {
      code("X")
      bytes += little(UInt32(text.utf8.count)) + Array(text.utf8)
    }

    mutating func global(_ module: String, _ name: String) { code("c\(module)\n\(name)\n") }

    mutating func value(_ value: Value) {
      switch value {
      case .integer(let number): bytes += [UInt8(ascii: "J")] + little(Int32(number))
      case .real(let number): bytes += [UInt8(ascii: "G")] + little(number.bitPattern).reversed()
      case .text(let string): text(string)
      case .flag(let flag): bytes.append(flag ? 0x88 : 0x89)
      case .integers(let numbers):
        code("](")
        for number in numbers { self.value(.integer(number)) }
        code("e")
      }
    }

    /// A persistent object: what `torch_utils.persistence` reconstructs.
    mutating func object(
      _ className: String, _ module: Module, initKeywords: [(String, Value)] = [], children: [String: String] = [:]
    ) {
      global("torch_utils.persistence", "_reconstruct_persistent_obj")
      code("}(")
      text("type")
      text("class")
      text("version")
      value(.integer(6))
      text("module_src")
      text("# nothing\n")
      text("class_name")
      text(className)
      text("state")
      code("}(")
      text("_parameters")
      code("}(")
      for (name, tensor) in module.tensors {
        text(name)
        self.tensor(tensor)
      }
      code("u")
      text("_buffers")
      code("}")
      text("_modules")
      code("}(")
      for (name, child) in module.children {
        text(name)
        object(children[name] ?? "Module", child, initKeywords: children[name] == nil ? [] : initKeywords)
      }
      code("u")
      text("_init_args")
      code(")")
      text("_init_kwargs")
      code("}(")
      for (name, value) in initKeywords {
        text(name)
        self.value(value)
      }
      code("uuu")
      bytes.append(0x85)
      code("R")
    }

    /// A parameter whose storage is a torch archive of the old form inside the pickle.
    private mutating func tensor(_ tensor: Tensor) {
      let strides = tensor.shape.indices.map { tensor.shape[($0 + 1)...].reduce(1, *) }
      global("torch._utils", "_rebuild_tensor_v2")
      code("(")
      global("torch.storage", "_load_from_bytes")
      let archive = storage(tensor)
      code("B")
      bytes += little(UInt32(archive.count)) + archive
      bytes.append(0x85)
      code("R")
      value(.integer(0))
      code("(")
      for extent in tensor.shape { value(.integer(extent)) }
      code("t(")
      for stride in strides { value(.integer(stride)) }
      code("t")
      bytes.append(0x89)
      global("collections", "OrderedDict")
      code(")RtR")
    }

    private mutating func storage(_ tensor: Tensor) -> [UInt8] {
      storages += 1
      let key = "\(storages)"
      var archive = Pickle()
      archive.bytes = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
      archive.bytes += [0x80, 2, UInt8(ascii: "M"), 0xE9, 3, UInt8(ascii: ".")]
      archive.bytes += [0x80, 2]
      archive.code("}")
      archive.text("little_endian")
      archive.bytes.append(0x88)
      archive.code("s.")
      archive.bytes += [0x80, 2]
      archive.code("(")
      archive.text("storage")
      archive.global("torch", "FloatStorage")
      archive.text(key)
      archive.text("cpu")
      archive.value(.integer(tensor.values.count))
      archive.code("NtQ.")
      archive.bytes += [0x80, 2]
      archive.code("]")
      archive.text(key)
      archive.code("a.")
      return archive.bytes + little(UInt64(tensor.values.count))
        + tensor.values.withUnsafeBytes { Array($0) }
    }

    private func little(_ value: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
  }
}
