import Checkpoints
import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

/// Hand-made pickles, opcode by opcode.
@Suite("The pickle reader")
struct PickleTests {
  /// A pickle of `{"k": VALUE}` where VALUE is made by the given opcodes.
  static func wrap(_ value: [UInt8], protocol version: UInt8 = 4) -> Data {
    Data([0x80, version] + ascii("}X") + [1, 0, 0, 0] + ascii("k") + value + ascii("s."))
  }

  static func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

  func open(_ data: Data) throws -> Checkpoint {
    let folder = try TemporaryFolder()
    try data.write(to: URL(fileURLWithPath: folder.file("x.pkl")))
    return try Checkpoint.open(folder.file("x.pkl"))
  }

  func value(_ opcodes: [UInt8]) throws -> PlainValue? { try open(Self.wrap(opcodes)).plainValue("k") }

  static let atoms: [([UInt8], PlainValue)] = [
    (ascii("N"), .none),
    ([0x88], .flag(true)),
    ([0x89], .flag(false)),
    (ascii("J") + [0xFE, 0xFF, 0xFF, 0xFF], .integer(-2)),
    (ascii("K") + [200], .integer(200)),
    (ascii("M") + [1, 2], .integer(513)),
    ([0x8A, 0], .integer(0)),
    ([0x8A, 2, 0x00, 0x80], .integer(-32768)),
    ([0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], .integer(.min)),
    (ascii("G") + [0x3F, 0xF8, 0, 0, 0, 0, 0, 0], .real(1.5)),
    ([0x8C, 2] + ascii("ab"), .text("ab")),
    (ascii("X") + [3, 0, 0, 0] + ascii("aé"), .text("aé")),
    ([0x8D, 1, 0, 0, 0, 0, 0, 0, 0] + ascii("z"), .text("z")),
    (ascii("])") + [0x85] + ascii("a"), .list([.list([.list([])])])),
    (ascii("(K") + [1] + ascii("K") + [2] + ascii("t"), .list([.integer(1), .integer(2)])),
    (ascii("K") + [1] + ascii("K") + [2] + [0x86], .list([.integer(1), .integer(2)])),
    (ascii("NNN") + [0x87], .list([.none, .none, .none])),
    (ascii("](K") + [7] + ascii("e"), .list([.integer(7)])),
    ([0x8F] + ascii("(K") + [7, 0x90], .list([.integer(7)])),
    (ascii("}(X") + [1, 0, 0, 0] + ascii("aK") + [1] + ascii("u"), .dictionary(["a": .integer(1)])),
    (ascii("N(NN1"), .none),
    (ascii("NK") + [3] + ascii("0"), .none),
    (ascii("K") + [3] + ascii("q") + [9] + ascii("h") + [9] + [0x86], .list([.integer(3), .integer(3)])),
    (ascii("K") + [3, 0x94] + ascii("j") + [0, 0, 0, 0, 0x86], .list([.integer(3), .integer(3)])),
    (ascii("ccollections\nOrderedDict\n)R"), .dictionary([:])),
    (
      ascii("ccollections\nOrderedDict\n](]X") + [1, 0, 0, 0] + ascii("aa")
        + ascii("Nae") + [0x85] + ascii("R"), .dictionary(["a": .none])
    ),
    (ascii("cnumpy\ndtype\nX") + [2, 0, 0, 0] + ascii("f8") + [0x89, 0x88, 0x87] + ascii("R0N"), .none),
  ]

  @Test("Atoms, containers, memo", arguments: atoms.indices)
  func atom(index: Int) throws {
    let (opcodes, expected) = Self.atoms[index]
    #expect(try value(opcodes) == expected)
  }

  @Test(
    "numpy scalars under both names, with bytes of protocol 2 and of protocol 4",
    arguments: ["numpy.core.multiarray", "numpy._core.multiarray"])
  func numpyScalar(module: String) throws {
    let head =
      Self.ascii("c\(module)\nscalar\ncnumpy\ndtype\nX") + [2, 0, 0, 0] + Self.ascii("f8") + [0x89, 0x88, 0x87]
    let built = head + Self.ascii("R(K") + [3] + Self.ascii("X") + [1, 0, 0, 0] + Self.ascii("<NNNJ")
    let dtype =
      built + [0xFF, 0xFF, 0xFF, 0xFF] + Self.ascii("J") + [0xFF, 0xFF, 0xFF, 0xFF] + Self.ascii("K") + [0]
      + Self.ascii("tb")
    let short = Self.ascii("C") + [8, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F]
    #expect(try value(dtype + short + [0x86] + Self.ascii("R")) == .real(1.5))
    let latin = "\0\0\0\0\0\0ø?"
    let encoded =
      Self.ascii("c_codecs\nencode\nX") + [9, 0, 0, 0] + Self.ascii(latin) + Self.ascii("X") + [6, 0, 0, 0]
      + Self.ascii("latin1") + [0x86] + Self.ascii("R")
    #expect(try value(dtype + encoded + [0x86] + Self.ascii("R")) == .real(1.5))
    let big = dtype.map { $0 == UInt8(ascii: "<") ? UInt8(ascii: ">") : $0 }
    #expect(try value(big + short + [0x86] + Self.ascii("R")) == nil)
    // Nor where the type was put aside before its byte order was known.
    let recalled = Self.ascii("q") + [9] + big.suffix(from: head.count + 1) + Self.ascii("0h") + [9]
    let again = head + Self.ascii("R") + recalled + short + [0x86] + Self.ascii("R")
    #expect(try value(Array(again)) == nil)
  }

  static let refusals: [(name: String, opcodes: [UInt8], says: String)] = [
    ("an opcode of no checkpoint", ascii("I1\n"), "0x49"),
    ("a name that runs code", ascii("cos\nsystem\n"), "os.system"),
    ("eval under builtins", ascii("cbuiltins\neval\n"), "builtins.eval"),
    ("a function of torch that is no storage", ascii("ctorch\nload\n"), "torch.load"),
    ("a call of a storage class", ascii("ctorch\nFloatStorage\n)R"), "class"),
    ("a call of what is no name", ascii("K") + [1] + ascii(")R"), "name"),
    ("arguments that are no tuple", ascii("ccollections\nOrderedDict\nNR"), "tuple"),
    (
      "a persistent id without storages",
      ascii("(X") + [7, 0, 0, 0] + ascii("storagectorch\nFloatStorage\nX") + [1, 0, 0, 0]
        + ascii("0X") + [3, 0, 0, 0] + ascii("cpuK") + [1] + ascii("tQ"), "persistent id"
    ),
    ("a mark that was never set", ascii("e"), "mark"),
    ("a pop below the mark", ascii("(") + [0x85], "stack"),
    ("an append to a number", ascii("K") + [1] + ascii("Na"), "list"),
    ("an item in a list", ascii("]NNs"), "dictionary"),
    ("an odd number of items", ascii("}(K") + [1] + ascii("u"), "key"),
    ("a list as key", ascii("}]Ns"), "key"),
    ("text that is not UTF-8", ascii("X") + [1, 0, 0, 0, 0xFF], "UTF-8"),
    ("a long text", ascii("X") + [0xFF, 0xFF, 0xFF, 0xFF], "limit"),
    ("bytes beyond the end", ascii("B") + [0xFF, 0xFF, 0xFF, 0x7F], "left"),
    ("bytes of 2^63", [0x8E, 0, 0, 0, 0, 0, 0, 0, 0x80], "left"),
    (
      "a nested archive that is none", ascii("ctorch.storage\n_load_from_bytes\nC") + [2, 1, 2, 0x85] + ascii("R"),
      "old form"
    ),
    ("a tensor without storage", ascii("ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR"), "tensor"),
    (
      "a persistent object that is no class",
      ascii("ctorch_utils.persistence\n_reconstruct_persistent_obj\n}") + [0x85]
        + ascii("R"), "persistent object"
    ),
  ]

  @Test("A key that is neither text nor a number is passed over with its value")
  func otherKeys() throws {
    #expect(try value(Self.ascii("})Ns")) == nil)
    let both = Self.ascii("}()NX") + [1, 0, 0, 0] + Self.ascii("aK") + [1] + Self.ascii("u")
    #expect(try value(both) == nil)
    #expect(try open(Self.wrap(both)).plainValue("k.a") == .integer(1))
  }

  @Test("What no checkpoint holds is refused", arguments: refusals.indices)
  func refused(index: Int) throws {
    let (name, opcodes, says) = Self.refusals[index]
    let failure = #expect(throws: Failure.self, "\(name)") { try value(opcodes) }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(says) == true, "\(name): \(String(describing: failure))")
  }

  @Test("Protocols 2 to 5; no bytes after the end")
  func framing() throws {
    for version: UInt8 in 2...5 { _ = try open(Self.wrap([0x88], protocol: version)) }
    #expect(throws: Failure.self) { try open(Self.wrap([0x88], protocol: 1)) }
    #expect(throws: Failure.self) { try open(Self.wrap([0x88], protocol: 6)) }
    #expect(throws: Failure.self) { try open(Self.wrap([0x88]) + Data([0])) }
  }

  @Test("A container that holds itself is read and is no plain value")
  func cycles() throws {
    #expect(try value(Self.ascii("]q") + [0] + Self.ascii("h") + [0] + Self.ascii("a")) == nil)
    #expect(try value(Self.ascii("}q") + [0] + Self.ascii("K") + [1] + Self.ascii("h") + [0] + Self.ascii("s")) == nil)
  }

  @Test("A chain of 200,000 containers neither exhausts the call stack nor is taken for plain data")
  func deepChain() throws {
    var opcodes = Self.ascii("]")
    for _ in 0..<200_000 { opcodes.append(0x85) }
    #expect(try value(opcodes) == nil)
    // Each list is put into the one before, which the memo holds: no mark is ever open.
    var chained = Self.ascii("]q") + [0]
    for _ in 0..<100_000 { chained += Self.ascii("]q") + [1] + Self.ascii("ah") + [1] }
    chained += [UInt8](repeating: UInt8(ascii: "0"), count: 100_000)
    #expect(try value(chained) == nil)
  }

  @Test("A small pickle cannot claim much memory")
  func amplification() throws {
    // One list of a thousand elements, added to another again and again.
    var opcodes = Self.ascii("](") + [UInt8](repeating: UInt8(ascii: "N"), count: 1000) + Self.ascii("e") + [0x94]
    for _ in 0..<20_000 {
      opcodes += Self.ascii("ccollections\nOrderedDict\nh") + [0, 0x85] + Self.ascii("R0")
    }
    #expect(throws: Failure.self) { try value(opcodes) }
    #expect(throws: Failure.self) { try value([UInt8](repeating: UInt8(ascii: "]"), count: 1_000_001)) }
    #expect(throws: Failure.self) { try value([UInt8](repeating: UInt8(ascii: "("), count: 1_001)) }
  }

  @Test("A tensor must lie in its storage; a transposed one is read in row-major order")
  func views() throws {
    let folder = try TemporaryFolder()
    func storage(_ shape: [UInt8], _ strides: [UInt8], offset: UInt8, name: String) throws -> String {
      func tuple(_ items: [UInt8]) -> [UInt8] {
        Self.ascii("(") + items.flatMap { Self.ascii("K") + [$0] } + Self.ascii("t")
      }
      let id =
        Self.ascii("(X") + [7, 0, 0, 0] + Self.ascii("storagectorch\nFloatStorage\nX") + [1, 0, 0, 0]
        + Self.ascii("0X") + [3, 0, 0, 0] + Self.ascii("cpuK") + [6] + Self.ascii("NtQ")
      let tensor =
        Self.ascii("ctorch._utils\n_rebuild_tensor_v2\n(") + id + Self.ascii("K") + [offset] + tuple(shape)
        + tuple(strides) + [0x89] + Self.ascii("}tR")
      let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
      var data = Data(magic + [0x80, 2] + Self.ascii("M") + [0xE9, 0x03] + Self.ascii("."))
      data += [0x80, 2] + Self.ascii("}X") + [13, 0, 0, 0] + Self.ascii("little_endian") + [0x88] + Self.ascii("s.")
      data += [0x80, 2] + Self.ascii("}X") + [1, 0, 0, 0] + Self.ascii("w") + tensor + Self.ascii("s.")
      data += [0x80, 2] + Self.ascii("]X") + [1, 0, 0, 0] + Self.ascii("0a.") + [6, 0, 0, 0, 0, 0, 0, 0]
      for i in 0..<6 { withUnsafeBytes(of: Float(i).bitPattern.littleEndian) { data.append(contentsOf: $0) } }
      try data.write(to: URL(fileURLWithPath: folder.file(name)))
      return folder.file(name)
    }
    func values(_ path: String) throws -> [Float] { try Checkpoint.open(path).stateDictionary().tensor("w").values }
    #expect(try values(storage([2, 3], [3, 1], offset: 0, name: "a")) == [0, 1, 2, 3, 4, 5])
    #expect(try values(storage([3, 2], [1, 3], offset: 0, name: "b")) == [0, 3, 1, 4, 2, 5])
    #expect(try values(storage([2, 2], [3, 1], offset: 1, name: "c")) == [1, 2, 4, 5])
    #expect(try values(storage([], [], offset: 5, name: "d")) == [5])
    #expect(try values(storage([0, 9], [9, 1], offset: 0, name: "e")) == [])
    #expect(throws: Failure.self) { try values(storage([2, 3], [3, 1], offset: 1, name: "f")) }
    #expect(throws: Failure.self) { try values(storage([200, 200], [0, 0], offset: 0, name: "g")) }
    #expect(throws: Failure.self) { try values(storage([2, 3], [3], offset: 0, name: "h")) }
  }
}
