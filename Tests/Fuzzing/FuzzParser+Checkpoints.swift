import Checkpoints
import Compute
import Foundation
import TestSupport

/// The readers of `Checkpoints`.
extension FuzzParser {
  static func pickle() throws -> FuzzParser {
    let names = PickleMutation.globals.filter { !["os", "subprocess"].contains($0.0) }.map { "name \($0.0).\($0.1)" }
    return FuzzParser(
      name: "pickle", knownRecords: PickleToken.names.values.sorted() + names.sorted(),
      seeds: PickleSeeds.all + (try fixtures("golden/robustness", ["pkl"], upTo: 130_000))
        + (try fixtures("checkpoints", ["pkl"], upTo: 10_000)),
      mutate: { mutatePickle($0, donor: $1, &$2) }, records: { pickleRecords($0) }, read: readCheckpoint)
  }

  static func torchArchive() throws -> FuzzParser {
    let folder = try TemporaryFolder()
    let path = folder.file("x.pt")
    try StateDictionaryFile(
      entries: [("a.weight", [2, 3]), ("a.bias", [2])], metadata: ["config": "{}", "provenance": "{}"]
    ).write(to: path, format: .torch) { index in Tensor(shape: index == 0 ? [2, 3] : [2], repeating: 0.5) }
    let own = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    return FuzzParser(
      name: "torch-archive",
      knownRecords: ["data.pkl", "byteorder", "storage", "metadata", "version", "64-bit end record", "BINPERSID"],
      seeds: [own]
        + (try fixtures("golden/robustness", ["pt"], upTo: 130_000)).filter { $0.starts(with: [0x50, 0x4B]) }
        + [
          try fixture("golden/checkpoints/edm_ddpmpp_uncond_state_dict.pt"), try fixture("checkpoints/objects.pt"),
          try fixture("checkpoints/deep.pt"),
        ],
      mutate: { bytes, donor, random in
        ZipImage.mutate(bytes, &random) { name, content, random in
          guard name.hasSuffix("data.pkl") else { return ByteMutation.apply(content, &random) }
          return mutatePickle(content, donor: donor, &random)
        }
      },
      records: { bytes in
        guard let image = ZipImage(bytes) else { return [] }
        var records = image.hasWideEnd ? [Record(name: "64-bit end record", place: 0)] : []
        for entry in image.entries {
          let name = String(decoding: entry.name, as: UTF8.self)
          let kind =
            name.hasSuffix("data.pkl")
            ? "data.pkl" : name.contains("/data/") ? "storage" : name.contains("/extra/") ? "metadata" : name.suffix(9)
          records.append(Record(name: String(kind.split(separator: "/").last ?? ""), place: 0))
          if kind == "data.pkl" { records += pickleRecords(entry.content).map { Record(name: $0.name, place: 0) } }
        }
        return records
      }, read: readCheckpoint)
  }

  static func torchLegacy() throws -> FuzzParser {
    FuzzParser(
      name: "torch-legacy",
      knownRecords: ["pickle 1", "pickle 2", "pickle 3", "pickle 4", "pickle 5", "storages"],
      seeds: [
        LegacyImage.oneStorage, legacyStateDictionary,
        try fixture("golden/robustness/legacy_storage_count_bigger_than_file.pt"),
        try fixture("golden/checkpoints/edm_ddpmpp_uncond_state_dict_legacy.pt"),
        try fixture("checkpoints/objects-legacy.pt"),
      ],
      mutate: { LegacyImage.mutate($0, donor: PickleToken.parse($1)?.tokens ?? [], &$2) },
      records: { bytes in
        guard let image = LegacyImage(bytes) else { return [] }
        var place = 0
        var records: [Record] = []
        for (index, pickle) in image.pickles.enumerated() {
          records.append(Record(name: "pickle \(index + 1)", place: place))
          place += PickleToken.encode(pickle).count
        }
        return image.tail.isEmpty ? records : records + [Record(name: "storages", place: place)]
      }, read: readCheckpoint)
  }

  static func safetensors() throws -> FuzzParser {
    FuzzParser(
      name: "safetensors",
      knownRecords: ["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "__metadata__"],
      seeds: [SafetensorsMutation.seed] + (try fixtures("golden/robustness", ["safetensors"], upTo: 100_000)),
      mutate: { bytes, _, random in SafetensorsMutation.apply(bytes, &random) },
      records: { bytes in
        let text = String(decoding: bytes.prefix(1 << 16), as: UTF8.self)
        return ["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "__metadata__"]
          .filter { text.contains("\"\($0)\"") }.map { Record(name: $0, place: 0) }
      }, read: readCheckpoint)
  }

  static func numpy() throws -> FuzzParser {
    let types = ["<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "|u1", "|b1"]
    @Sendable func arrayRecords(_ bytes: [UInt8]) -> [Record] {
      let text = String(decoding: bytes.prefix(256), as: UTF8.self)
      let found = types.filter { text.contains("'\($0)'") } + (text.contains("True") ? ["fortran order"] : [])
      return (found + ["version \(bytes.count > 6 ? bytes[6] : 0)"]).map { Record(name: $0, place: 0) }
    }
    return FuzzParser(
      name: "numpy",
      knownRecords: types + [
        "fortran order", "version 1", "version 2", "version 3", "stored entry", "deflated entry", "64-bit end record",
      ],
      seeds: NumpyMutation.seeds
        + [
          try fixture("golden/fid/reference_stats_24d_compressed.npz"),
          try fixture("golden/fid/reference_stats_24d.npz"),
        ] + (try fixtures("checkpoints", ["npz"], upTo: 10_000)),
      mutate: { bytes, _, random in
        if !bytes.starts(with: [0x50, 0x4B]) { return NumpyMutation.apply(bytes, &random) }
        return ZipImage.mutate(bytes, &random) { _, content, random in NumpyMutation.apply(content, &random) }
      },
      records: { bytes in
        guard bytes.starts(with: [0x50, 0x4B]), let image = ZipImage(bytes) else { return arrayRecords(bytes) }
        let ends = image.hasWideEnd ? [Record(name: "64-bit end record", place: 0)] : []
        return ends
          + image.entries.flatMap { entry in
            [Record(name: entry.isDeflated ? "deflated entry" : "stored entry", place: 0)] + arrayRecords(entry.content)
          }
      }, read: readCheckpoint)
  }

  private static func mutatePickle(_ bytes: [UInt8], donor: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    guard var tokens = PickleToken.parse(bytes)?.tokens else { return ByteMutation.apply(bytes, &random) }
    let other = PickleToken.parse(donor)?.tokens ?? []
    // A storage inside: an archive of its own.
    let nested = tokens.indices.filter { tokens[$0].argument.starts(with: LegacyImage.magic) }
    if !nested.isEmpty, random.oneIn(3) {
      let place = random.pick(nested)
      tokens[place].argument = LegacyImage.mutate(tokens[place].argument, donor: other, &random)
    } else {
      tokens = PickleMutation.apply(tokens, donor: other, &random)
    }
    let result = PickleToken.encode(tokens)
    return random.oneIn(15) ? ByteMutation.apply(result, &random) : result
  }

  private static func pickleRecords(_ bytes: [UInt8]) -> [Record] {
    guard let (tokens, places, _) = PickleToken.parse(bytes) else { return [] }
    var records: [Record] = []
    for (token, place) in zip(tokens, places) {
      if let name = PickleToken.names[token.opcode] { records.append(Record(name: name, place: place)) }
      if token.opcode == UInt8(ascii: "c") {
        let lines = token.argument.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
        if lines.count == 2 { records.append(Record(name: "name \(lines[0]).\(lines[1])", place: place)) }
      }
      if token.argument.starts(with: LegacyImage.magic), let image = LegacyImage(token.argument) {
        records += image.pickles.flatMap { $0 }.compactMap { inner in
          PickleToken.names[inner.opcode].map { Record(name: $0, place: place) }
        }
      }
    }
    return records
  }

  /// A dictionary of one tensor.
  private static let legacyStateDictionary: [UInt8] = {
    guard var image = LegacyImage(LegacyImage.oneStorage) else { return [] }
    func text(_ text: String) -> PickleToken { PickleToken("X", Array(text.utf8)) }
    func global(_ text: String) -> PickleToken { PickleToken("c", Array(text.utf8)) }
    let storage = image.pickles[3].dropFirst().dropLast()
    image.pickles[3] =
      [
        PickleToken(0x80, [2]), PickleToken("}"), text("w"), global("torch._utils\n_rebuild_tensor_v2\n"),
        PickleToken("("),
      ]
      + storage + [
        PickleToken("K", [0]), PickleToken("K", [2]), PickleToken(0x85), PickleToken("K", [1]), PickleToken(0x85),
        PickleToken(0x89), PickleToken("}"), PickleToken("t"), PickleToken("R"), PickleToken("s"), PickleToken("."),
      ]
    return image.encoded
  }()

  private struct Unexpected: Error {}

  /// Reads everything that a checkpoint has, as converting and listing do.
  private static func readCheckpoint(_ path: String) throws {
    let checkpoint = try Checkpoint.open(path)
    for key in checkpoint.keys { _ = checkpoint.plainValue(key) }
    let items = checkpoint.items
    for item in items { _ = (item.words, checkpoint.plainValue(item.key)) }
    for key in checkpoint.keys where key.hasSuffix("optimizer_state") {
      let state = try checkpoint.optimizerState(key)
      for index in state.parameterIndices.prefix(1000) { _ = try state.step(parameter: index) }
    }
    var sources: [CheckpointTensors] = []
    let candidates = checkpoint.candidates.prefix(20)
    if items.isEmpty || checkpoint.isStateDictionary {
      sources = [try checkpoint.stateDictionary()]
    } else {
      // A file without any is listed, and refused in one way.
      if candidates.isEmpty, (try? checkpoint.stateDictionary()) != nil { throw Unexpected() }
      sources = try candidates.map { try checkpoint.tensors(of: $0) }
    }
    sources = try sources.map { try WrapperPrefix($0) { $0.shape(of: "model.map_layer0.weight") != nil }.tensors }
    // A file may name one storage any number of times; no reader here asks for more than an architecture has.
    for tensors in sources {
      for name in tensors.tensorNames.prefix(2000) { _ = try tensors.tensor(name) }
    }
  }
}
