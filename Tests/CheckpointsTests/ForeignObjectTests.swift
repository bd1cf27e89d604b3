import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Objects of foreign classes beside the tensors of a checkpoint.
@Suite("Foreign objects are opaque, never called, and refused only where they are needed")
struct ForeignObjectTests {
  static func open(_ name: String) throws -> Checkpoint { try Checkpoint.open(Fixtures.path("checkpoints/" + name)) }

  /// The bits of every tensor of the network that the fixtures hold.
  static func expectPlain(_ tensors: CheckpointTensors, _ name: String) throws {
    let plain = try open("plain.pt").stateDictionary()
    #expect(tensors.tensorNames == plain.tensorNames, "\(name)")
    for tensor in plain.tensorNames {
      #expect(tensors.shape(of: tensor) == plain.shape(of: tensor))
      let bits = try tensors.tensor(tensor).values.map(\.bitPattern)
      #expect(try bits == plain.tensor(tensor).values.map(\.bitPattern), "\(name) \(tensor)")
    }
  }

  @Test(
    "Forty kinds of them stand beside a state_dict",
    arguments: ["objects.pt", "objects-legacy.pt", "objects-protocol4.pt"])
  func beside(name: String) throws {
    let checkpoint = try Self.open(name)
    try Self.expectPlain(try checkpoint.stateDictionary(key: "ema"), name)
    let words = Dictionary(checkpoint.items.map { ($0.key, $0.words) }) { first, _ in first }
    for (key, what) in [
      ("args", "an opaque argparse.Namespace"), ("config", "an opaque omegaconf.dictconfig.DictConfig"),
      ("defaults", #"{"loss": [0.5]}"#), ("counter", #"{"a": 2, "b": 1}"#),
      ("partial", "an opaque my.training.schedule"),
      ("frozen", "[[1, 2]]"), ("big", "an opaque integer beyond 64 bits"), ("numpy", "an opaque numpy.ndarray"),
      ("numpy_float", "1.5"), ("keys", "a dictionary of 6"), ("slots", "an opaque my.training.Slots"),
      ("path", "an opaque pathlib.PurePosixPath"), ("dtype", "the name torch.float32"),
      ("complex_tensor", "an opaque tensor of a ComplexFloatStorage"), ("ema", "a state_dict of 70 tensors"),
    ] { #expect(words[key] == what, "\(key)") }
    #expect(checkpoint.candidates.map(\.key) == ["ema"])
    #expect(checkpoint.keys.count == 44)
  }

  @Test("A parameter and a tensor that carry attributes are tensors")
  func attributes() throws {
    try Self.expectPlain(try Self.open("parameter-attributes.pt").stateDictionary(), "attributes")
  }

  @Test("A number and an enumeration among the tensors are left out and said")
  func mixed() throws {
    let tensors = try Self.open("mixed.pt").stateDictionary()
    try Self.expectPlain(tensors, "mixed")
    #expect(tensors.leftOut.map(\.name) == ["epoch", "mode"])
    #expect(tensors.problem(with: "mode")?.contains("my.training.Mode") == true)
    #expect(tensors.problem(with: "model.map_layer0.bias") == nil)
  }

  static let neededCases: [(name: String, key: String?, says: [String])] = [
    ("needed-opaque.pt", "ema", ["\"ema\"", "argparse.Namespace"]),
    ("needed-opaque.pt", nil, ["ema", "argparse.Namespace"]),
    ("numpy-arrays.pkl", "model", ["no network and no state_dict", "numpy.ndarray"]),
    ("whole-module.pt", nil, ["torch.nn.modules.linear.Linear", "state_dict"]),
    ("nested.pt", "args", ["\"args\"", "argparse.Namespace", "nothing of a pickle is executed"]),
  ]

  @Test("Where one is needed, key and class are named", arguments: neededCases.indices)
  func needed(index: Int) throws {
    let (name, key, says) = Self.neededCases[index]
    let failure = #expect(throws: Failure.self) { try Self.open(name).stateDictionary(key: key) }
    #expect(failure?.status == .dataError)
    for text in says { #expect(failure?.description.contains(text) == true, "\(String(describing: failure))") }
  }

  @Test("A tensor of numbers that are not read is refused by name")
  func complexNumbers() throws {
    let tensors = try Self.open("needed-complex.pt").stateDictionary()
    #expect(tensors.tensorNames.count == 69)
    #expect(tensors.problem(with: "model.map_layer1.bias")?.contains("ComplexFloatStorage") == true)
    #expect(throws: Failure.self) { try tensors.tensor("model.map_layer1.bias") }
  }

  @Test(
    "What can run code is refused by name, called or only mentioned",
    arguments: [
      ("exec", "builtins.exec"), ("getattr", "attribute"), ("importlib", "importlib.import_module"),
      ("mention", "posix.getcwd"), ("methodcaller", "operator.methodcaller"), ("runpy", "runpy.run_path"),
      ("shutil", "shutil.rmtree"), ("subprocess", "subprocess.Popen"), ("tempfile", "tempfile.mkdtemp"),
      ("torch_load", "torch.serialization.load"), ("webbrowser", "webbrowser.open"),
    ])
  func hostile(name: String, says: String) throws {
    let failure = #expect(throws: Failure.self) { try Self.open("hostile-\(name).pkl") }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
    #expect(failure?.description.contains("nothing was executed") == true)
  }

  static func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// A global by protocol 4, whose names may hold dots.
  static func named(_ module: String, _ name: String) -> [UInt8] {
    [0x8C, UInt8(module.utf8.count)] + ascii(module) + [0x8C, UInt8(name.utf8.count)] + ascii(name) + [0x93]
  }

  static let reachingNames: [[UInt8]] = [
    named("torch._utils", "os.system"), named("my.package", "sys.modules"), named("collections", "_sys"),
    named("dataclasses", "inspect"), named("builtins", "type.__subclasses__"),
    named("my.package", "Class.__init__.__globals__"),
    named("pip._internal", "main"), named("numpy.testing._private.utils", "runstring"), ascii("c__builtin__\neval\n"),
    ascii("cos\nsystem\n"), ascii("(isubprocess\nPopen\n"), ascii("(cnt\nsystem\no"),
  ]

  @Test("No name reaches Python's workings through another", arguments: reachingNames.indices)
  func reaching(index: Int) throws {
    let failure = #expect(throws: Failure.self) { try PickleTests().value(Self.reachingNames[index]) }
    #expect(failure?.description.contains("nothing was executed") == true, "\(String(describing: failure))")
  }

  /// Constructions of every form on a class that is not known.
  static let constructions: [[UInt8]] = [
    ascii("cmy.thing\nThing\n)R"), ascii("cmy.thing\nThing\n)") + [0x81], ascii("cmy.thing\nThing\n)}") + [0x92],
    ascii("cmy.thing\nThing\n)}X") + [1, 0, 0, 0] + ascii("aNs") + [0x92],
    ascii("(K") + [1] + ascii("imy.thing\nThing\n"),
    ascii("(cmy.thing\nThing\nK") + [1] + ascii("o"), [0x82, 5], [0x83, 5, 1], [0x84, 5, 1, 0, 0],
    ascii("cmy.thing\nThing\n)R}b"), ascii("cmy.thing\nThing\n)RNb"), ascii("cmy.thing\nThing\n)R(NNu"),
    ascii("cmy.thing\nThing\n)RNNs"), ascii("cmy.thing\nThing\n)RNa"), ascii("cmy.thing\nThing\n)R(NNe"),
    ascii("cmy.thing\nThing\n)R)R"), ascii("cmy.thing\nThing\n)R)") + [0x81],
    ascii("c__builtin__\ngetattr\n(cmy.thing\nThing\nX") + [1, 0, 0, 0] + ascii("atR"),
    ascii("ccopy_reg\n_reconstructor\n(cmy.thing\nThing\nc__builtin__\nobject\nNtR"),
    ascii("cfunctools\npartial\ncmy.thing\nf\n") + [0x85] + ascii("R)R"),
    [0x8A, 9] + [UInt8](repeating: 1, count: 9), [0x8B, 20, 0, 0, 0] + [UInt8](repeating: 1, count: 20),
    [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 7], ascii("U") + [1, 0xFF], ascii("T") + [1, 0, 0, 0, 0xFF],
    ascii("cnumpy\ndtype\nX") + [2, 0, 0, 0] + ascii("U5") + [0x89, 0x88, 0x87] + ascii("R"),
  ]

  @Test("Every form of construction of a foreign class is passed over", arguments: constructions.indices)
  func constructed(index: Int) throws { #expect(try PickleTests().value(Self.constructions[index]) == nil) }

  @Test("Python 2's texts are text; sets that do not change are lists; the top is doubled")
  func otherOpcodes() throws {
    let pickles = PickleTests()
    #expect(try pickles.value(Self.ascii("U") + [2] + Self.ascii("ab")) == .text("ab"))
    #expect(try pickles.value(Self.ascii("T") + [2, 0, 0, 0] + Self.ascii("ab")) == .text("ab"))
    #expect(try pickles.value(Self.ascii("(K") + [1, 0x91]) == .list([.integer(1)]))
    #expect(try pickles.value(Self.ascii("K") + [1] + Self.ascii("2") + [0x86]) == .list([.integer(1), .integer(1)]))
    #expect(try pickles.value([0x8B, 2, 0, 0, 0, 0, 0x80]) == .integer(-32768))
  }

  @Test("Names grow with nothing: long ones are refused, chains of attributes stay small")
  func growth() throws {
    let pickles = PickleTests()
    let long = [UInt8](repeating: UInt8(ascii: "a"), count: 300)
    let name = Self.ascii("X") + [44, 1, 0, 0] + long + Self.ascii("X") + [44, 1, 0, 0] + long + [0x93]
    #expect(throws: Failure.self) { try pickles.value(name) }
    var chain = Self.ascii("cmy.thing\nThing\nq") + [0]
    for _ in 0..<20_000 {
      chain += Self.ascii("0c__builtin__\ngetattr\n(h") + [0] + Self.ascii("X") + [200, 0, 0, 0]
      chain += long.prefix(200) + Self.ascii("tRq") + [0]
    }
    #expect(try pickles.value(chain) == nil)
  }

  @Test("An option of a network that is opaque is told from one that is missing")
  func opaqueOption() throws {
    let foreign = Self.ascii("cmy.thing\nThing\n)R")
    func text(_ text: String) -> [UInt8] { Self.ascii("X") + [UInt8(text.utf8.count), 0, 0, 0] + Self.ascii(text) }
    let state =
      Self.ascii("}(") + text("_modules") + Self.ascii("}") + text("sigma_min") + foreign + text("_init_kwargs")
      + Self.ascii("}") + text("img_resolution") + foreign + Self.ascii("su")
    let object =
      Self.ascii("ctorch_utils.persistence\n_reconstruct_persistent_obj\n}(") + text("type") + text("class")
      + text("class_name") + text("EDMPrecond") + text("state") + state + Self.ascii("u") + [0x85] + Self.ascii("R")
    let module = try PickleTests().open(PickleTests.wrap(object)).module("k")
    #expect(module.opaque.attributes == ["sigma_min": "an opaque my.thing.Thing"])
    #expect(module.opaque.keywords == ["img_resolution": "an opaque my.thing.Thing"])
    #expect(module.initKeywords.isEmpty && module.attributes.isEmpty)
  }
}
