import Checkpoints
import Compute
import Foundation
import HDF5
import TestSupport
import Testing

/// Files as people bring them, given to `sid-convert` and to the programs that take networks and statistics.
@Suite("sid-convert and what people bring")
struct ConvertHabitsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func fixture(_ name: String) -> String { Fixtures.path("checkpoints/" + name) }

  /// Converts a fixture of the one network.
  func convert(_ name: String, _ more: String..., config: String = "config.yaml") throws -> Programs.Outcome {
    try Programs.run(
      "sid-convert",
      [fixture(name), "--config", fixture(config), "--output", folder.file("out.h5"), "--overwrite"] + more)
  }

  /// The output holds the bits of the network that all these fixtures hold.
  func expectPlain(_ name: String) throws {
    let parameters = try HDF5File.open(folder.file("out.h5")).root.group("parameters")
    let plain = try Checkpoint.open(fixture("plain.pt")).stateDictionary()
    #expect(Set(parameters.names) == Set(plain.tensorNames), "\(name)")
    for tensor in plain.tensorNames {
      #expect(try parameters.dataset(tensor).read(Float.self) == plain.tensor(tensor).values, "\(name) \(tensor)")
    }
  }

  func summary() throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file("out.json")))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test(
    "A wrapper's prefix is taken off, said on stderr and in the summary",
    arguments: [
      ("prefix-module.pt", "module."), ("prefix-compiled-module-legacy.pt", "_orig_mod.module."),
      ("prefix-lightning.pt", "model."), ("prefix-inner-compiled.pt", "_orig_mod."),
    ])
  func prefix(name: String, prefix: String) throws {
    let outcome = try convert(name)
    #expect(outcome.status == 0 && outcome.errors.contains("\"\(prefix)\""), "\(outcome.errors)")
    try expectPlain(name)
    #expect(try summary()["removed_prefix"] as? String == prefix)
    #expect(try summary()["left_out"] == nil)
  }

  @Test("It is taken off with a full --config, too; one that only some names have is named")
  func prefixWithFullConfiguration() throws {
    let yaml = """
      precond: EDMPrecond
      model_type: SongUNet
      img_resolution: 8
      img_channels: 1
      model_channels: 4
      channel_mult: [1]
      num_blocks: 1
      attn_resolutions: []
      """
    try yaml.write(toFile: folder.file("c.yaml"), atomically: false, encoding: .utf8)
    for name in ["prefix-module-compiled.pt", "prefix-net-module.pt"] {
      let outcome = try Programs.run(
        "sid-convert",
        [fixture(name), "--config", folder.file("c.yaml"), "--output", folder.file("out.h5"), "--overwrite"])
      #expect(outcome.status == 0 && outcome.errors.contains("wrapper's prefix"), "\(outcome.errors)")
      try expectPlain(name)
    }
    for name in ["prefix-some.pt", "prefix-averaged-model.pt"] {
      let outcome = try Programs.run(
        "sid-convert", [fixture(name), "--config", folder.file("c.yaml"), "--output", folder.file("some.h5")])
      #expect(outcome.status == 65 && outcome.errors.contains("\"module.\""), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.file("some.h5")))
    }
  }

  @Test("A feature network saved by DataParallel fits its layers")
  func wrappedFeatures() throws {
    let plain = try Checkpoint.open(Fixtures.digits("features.safetensors")).stateDictionary()
    let names = plain.tensorNames
    let file = StateDictionaryFile(
      entries: names.map { ("module." + $0, plain.shape(of: $0) ?? []) }, metadata: [:])
    try file.write(to: folder.file("f.pt"), format: .torch) { try plain.tensor(names[$0]) }
    let outcome = try Programs.run(
      "sid-convert",
      [folder.file("f.pt"), "--config", Fixtures.digits("features.yaml"), "--output", folder.file("f.h5")])
    #expect(outcome.status == 0 && outcome.errors.contains("\"module.\""), "\(outcome.errors)")
    #expect(try HDF5File.open(folder.file("f.h5")).root.group("parameters").names.count == 10)
  }

  @Test(
    "Objects beside the tensors are passed over; a key is named where one is needed",
    arguments: [
      ("objects.pt", "ema"), ("objects-legacy.pt", "ema"), ("nested.pt", "model"), ("deep.pt", "state.nets.ema.0.999"),
      ("lightning.ckpt", "state_dict"),
    ])
  func keys(name: String, key: String) throws {
    let open = try convert(name)
    #expect(open.status == 65)
    #expect(open.errors.contains("--key") && open.errors.contains(key), "\(open.errors)")
    if name != "nested.pt", name != "deep.pt" {
      #expect(open.errors.contains("give the network with --key \(key)"), "\(open.errors)")
    }
    let outcome = try convert(name, "--key", key)
    #expect(outcome.status == 0, "\(outcome.errors)")
    try expectPlain(name)
    let wrong = try convert(name, "--key", "none")
    #expect(wrong.status == 65 && wrong.errors.contains("no key \"none\""), "\(wrong.errors)")
  }

  @Test("What is among the tensors and is none is left out, and said")
  func leftOut() throws {
    for (name, left) in [("mixed.pt", ["epoch", "mode"]), ("state-beside-text.npz", ["names"])] {
      let outcome = try convert(name)
      #expect(outcome.status == 0 && outcome.errors.contains("\(left.count) left out"), "\(outcome.errors)")
      try expectPlain(name)
      let listed = try #require(try summary()["left_out"] as? [String: String])
      #expect(listed.keys.sorted() == left)
    }
  }

  @Test(
    "What is needed and not read is named with what it is",
    arguments: [
      ("needed-opaque.pt", ["--key", "ema"], "argparse.Namespace"), ("needed-complex.pt", [], "ComplexFloatStorage"),
      ("whole-module.pt", [], "torch.nn.modules.linear.Linear"), ("numpy-arrays.pkl", [], "numpy.ndarray"),
      ("state-big-endian.npz", [], "model.map_layer0.bias"), ("hostile-subprocess.pkl", [], "subprocess.Popen"),
    ])
  func needed(name: String, more: [String], says: String) throws {
    let outcome = try Programs.run(
      "sid-convert", [fixture(name), "--config", fixture("config.yaml"), "--output", folder.file("out.h5")] + more)
    #expect(outcome.status == 65 && outcome.errors.contains(says), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("out.h5")))
  }

  @Test("list shows what lies under every key, of every readable file")
  func list() throws {
    func list(_ name: String) throws -> String {
      let outcome = try Programs.run("sid-convert", ["list", fixture(name)])
      #expect(outcome.status == 0, "\(name): \(outcome.errors)")
      return outcome.output
    }
    let nested = try list("nested.pt")
    for text in [
      "key opt: optimizer state of 3 of 3 parameters", "key args: an opaque argparse.Namespace",
      "key train_steps: 50000",
      "key model: a state_dict of 70 tensors; names and shapes say", "key ema: a state_dict of 70 tensors",
      "model.enc.8x8_conv.weight", "70 tensors, 2801 numbers",
    ] { #expect(nested.contains(text), "\(text)") }
    let deep = try list("deep.pt")
    for text in [
      "key state: a dictionary of 3", "key state.nets.model: ", "wrapper's prefix \"module.\"", "key 7: \"x\"",
    ] {
      #expect(deep.contains(text), "\(text)")
    }
    #expect(try list("objects.pt").contains("key config: an opaque omegaconf.dictconfig.DictConfig"))
    #expect(try list("numpy-arrays.pkl").contains("an opaque numpy.ndarray"))
    let zip = try list("zip-details.npz")
    for text in ["README.txt: left out: no array of numpy", "\\xffq  [6]", "mü"] {
      #expect(zip.contains(text), "\(text)")
    }
    #expect(try list("bystanders.npz").contains("table: left out: elements of a structured type"))
    // SiDA's state of state dictionaries, which has no network as an object.
    let state = try Programs.run(
      "sid-convert", ["list", Fixtures.path("golden/checkpoints/sid_a_training-state-000000.pt")])
    #expect(state.output.contains("key fake_score: EDMPrecond around SongUNet"))
  }

  @Test("A byte order mark before the configuration is no part of it")
  func byteOrderMark() throws {
    let outcome = try convert("plain.pt", config: "bom.yaml")
    #expect(outcome.status == 0, "\(outcome.errors)")
    try expectPlain("bom")
  }

  @Test(
    "What is taken for something else is said, with what to do, for every argument",
    arguments: [
      ("wrong-gzip.pkl", "gzip-compressed", "unpack"), ("wrong-lfs.pt", "Git LFS pointer", "git lfs pull"),
      ("wrong-page.safetensors", "web page", "fetch the file itself"), ("wrong-empty.npz", "empty", "fetch"),
    ])
  func somethingElse(name: String, kind: String, remedy: String) throws {
    let wrong = fixture(name)
    let (network, features) = (folder.file("n.h5"), folder.file("f.h5"))
    #expect(try Programs.run("sid-convert", [Fixtures.digits("teacher.pkl"), "--output", network]).status == 0)
    let converted = try Programs.run(
      "sid-convert",
      [Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output", features])
    #expect(converted.status == 0)
    let (out, data) = (folder.file("out.h5"), Fixtures.path("golden/dataset/tiny_gray_16x16_deflated_nolabels.zip"))
    let state = folder.file("s.h5")
    for (status, program, arguments) in [
      (65, "sid-convert", [wrong, "--output", out]), (65, "sid-convert", ["list", wrong]),
      (78, "sid-convert", [fixture("plain.pt"), "--config", wrong, "--output", out]),
      (65, "sid-convert", ["verify", "--network", wrong, "--vectors", network]),
      (65, "sid-convert", ["verify", "--network", network, "--vectors", wrong]),
      (65, "sid-distill", ["--teacher", wrong, "--output", out, "--state", state]),
      (65, "sid-sample", ["--network", wrong, "--seeds", "0", "--output", out]),
      (65, "sid-score", ["reference", "--dataset", data, "--features", wrong, "--output", out]),
      (65, "sid-score", ["--samples", data, "--reference", wrong, "--features", features, "--output", out]),
      (65, "sid-score", ["--samples", wrong, "--reference", data, "--features", features, "--output", out]),
    ] as [(Int32, String, [String])] {
      let outcome = try Programs.run(program, arguments)
      #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
      #expect(outcome.errors.contains(kind) && outcome.errors.contains(remedy), "\(arguments): \(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: out))
    }
  }

  @Test("Statistics by columns, by Python 2 and beside other arrays measure what plain ones do")
  func statistics() throws {
    let (images, features) = (Fixtures.digits("digits-8x8.zip"), folder.file("f.h5"))
    func run(_ arguments: [String]) throws {
      let outcome = try Programs.run(arguments[0], Array(arguments.dropFirst()))
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    func distance(_ reference: String, _ output: String, _ more: String...) throws -> Double {
      try run(
        ["sid-score", "--samples", images, "--resample", "400", "--reference", reference, "--features", features]
          + ["--output", folder.file(output + ".h5")] + more)
      let data = try Data(contentsOf: URL(fileURLWithPath: folder.file(output + ".json")))
      let summary = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      return try #require((summary["figures"] as? [String: Double])?["fd"])
    }
    try run([
      "sid-convert", Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output",
      features,
    ])
    try run([
      "sid-score", "reference", "--dataset", images, "--features", features, "--output", folder.file("r.h5"),
    ])
    let expected = try distance(folder.file("r.h5"), "plain")
    let found = try distance(
      fixture("digits-reference.npz"), "habits", "--reference-convention", "native", "--reference-count", "1797")
    #expect(expected > 0 && abs(found - expected) <= 1e-9 * expected)
  }

  @Test(
    "A network without encoder blocks converts and computes what PyTorch does", arguments: ["song", "ncsnpp", "adm"])
  func blockless(name: String) throws {
    let network = folder.file("n.h5")
    let yaml = "precond: EDMPrecond\n" + (name == "ncsnpp" ? "resample_filter: [1, 3, 3, 1]\n" : "")
    try yaml.write(toFile: folder.file("c.yaml"), atomically: false, encoding: .utf8)
    let converted = try Programs.run(
      "sid-convert",
      [Fixtures.path("blockless/\(name).safetensors"), "--config", folder.file("c.yaml"), "--output", network])
    #expect(converted.status == 0, "\(converted.errors)")
    let verified = try Programs.run(
      "sid-convert", ["verify", "--network", network, "--vectors", Fixtures.path("blockless/\(name).h5")])
    #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
    let sampled = try Programs.run(
      "sid-sample", ["--network", network, "--seeds", "0-3", "--output", folder.file("s.h5")])
    #expect(sampled.status == 0, "\(sampled.errors)")
  }

  @Test("A request to stop is heeded while a pickle is read")
  func stopped() throws {
    let folder = try TemporaryFolder()
    // Nothing, and nothing again, many times; a dictionary in the end.
    let steps = [[UInt8]](repeating: Array("N0".utf8), count: 1 << 23).flatMap { $0 }
    let dictionary: [UInt8] = Array("}X".utf8) + [1, 0, 0, 0] + Array("kK".utf8) + [7] + Array("s.".utf8)
    try folder.write([0x80, 2] + steps + dictionary, to: "x.pkl")
    let started = try StartedProgram("sid-convert", ["list", folder.file("x.pkl")], pending: SIGTERM)
    let outcome = started.end()
    #expect(outcome.status == 75 && outcome.output.isEmpty, "\(outcome.output) \(outcome.errors)")
    let whole = try Programs.run("sid-convert", ["list", folder.file("x.pkl")])
    #expect(whole.status == 0 && whole.output.contains("key k: 7"), "\(whole.errors)")
  }
}
