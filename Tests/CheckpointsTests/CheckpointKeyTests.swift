import Checkpoints
import Diagnostics
import TestSupport
import Testing

/// What a checkpoint holds, and how it is reached.
@Suite("Keys of checkpoints")
struct CheckpointKeyTests {
  func open(_ name: String) throws -> Checkpoint { try ForeignObjectTests.open(name) }

  @Test("Every key and what lies under it is listed, nested ones joined by dots")
  func items() throws {
    let nested = try open("nested.pt")
    #expect(nested.items.map(\.key) == ["model", "ema", "opt", "args", "train_steps"])
    #expect(
      nested.items.map(\.kind) == [
        .stateDictionary(tensors: 70, others: 0), .stateDictionary(tensors: 70, others: 0),
        .value("optimizer state of 3 of 3 parameters"), .value("an opaque argparse.Namespace"), .value("50000"),
      ])
    let deep = try open("deep.pt")
    #expect(
      deep.items.map(\.key)
        == ["state", "state.epoch", "state.nets", "state.nets.ema.0.999", "state.nets.model", "state.lr", "7"])
    #expect(!deep.isStateDictionary)
    let plain = try open("plain.pt")
    #expect(plain.isStateDictionary && plain.candidates.isEmpty)
  }

  @Test(
    "A key reaches into dictionaries, also where keys hold dots, brackets or are numbers",
    arguments: [
      ("nested.pt", "ema"), ("nested.pt", "model"), ("deep.pt", "state.nets.ema.0.999"),
      ("lightning.ckpt", "state_dict"),
    ])
  func reached(name: String, key: String) throws {
    try ForeignObjectTests.expectPlain(try open(name).stateDictionary(key: key), key)
  }

  @Test("Single values, too; what is not there is not found")
  func values() throws {
    let deep = try open("deep.pt")
    #expect(deep.plainValue("state.epoch") == .integer(3))
    #expect(deep.plainValue("7") == .text("x"))
    #expect(deep.plainValue("state.nets.ema") == nil)
    #expect(deep.plainValue("state.") == nil && deep.plainValue("") == nil && deep.plainValue("...") == nil)
    let callback = try open("lightning.ckpt").stateDictionary(key: "callbacks.ModelCheckpoint{'monitor': None}")
    #expect(callback.tensorNames == ["best"] && callback.leftOut.map(\.name) == ["dir"])
    #expect(try open("nested.pt").optimizerState("opt").parameterCount == 3)
  }

  @Test("A key that reads as two is refused, whichever way it could be taken, and both are listed apart")
  func ambiguous() throws {
    let checkpoint = try open("keys.pt")
    for (key, places) in [("0", [#"["0"]"#, "[0]"]), ("a.b", [#"["a"]["b"]"#, #"["a.b"]"#])] {
      let failure = #expect(throws: Failure.self) { try checkpoint.stateDictionary(key: key) }
      #expect(failure?.status == .dataError)
      for place in ["the key \"\(key)\" is ambiguous"] + places {
        #expect(failure?.description.contains(place) == true, "\(String(describing: failure))")
      }
      let listed = checkpoint.items.filter { $0.key == key }
      #expect(listed.map(\.place).sorted() == places.sorted())
      #expect(Set(listed.map(\.shownKey)).count == 2 && listed.allSatisfy { !$0.isReachable })
    }
    #expect(try checkpoint.stateDictionary(key: "plain").tensorNames == ["a", "b"])
  }

  @Test("What stands under keys that are neither text nor whole numbers is listed, and never offered as a key")
  func otherKeys() throws {
    let checkpoint = try open("keys.pt")
    #expect(checkpoint.candidates.map(\.key) == ["plain"])
    #expect(checkpoint.items.filter { $0.place.contains("neither text nor") }.count == 4)
    let failure = #expect(throws: Failure.self) { try checkpoint.stateDictionary() }
    #expect(failure?.remedy?.contains("plain") == true && failure?.remedy?.contains("?") == false)
    let asked = #expect(throws: Failure.self) { try checkpoint.stateDictionary(key: "?") }
    #expect(asked?.description.contains("no key \"?\"") == true)
  }

  @Test("A key with a dot and one that the dot reaches into are told apart where they differ, and refused where not")
  func dots() throws {
    func text(_ text: String) -> [UInt8] { Array("X".utf8) + [UInt8(text.utf8.count), 0, 0, 0] + Array(text.utf8) }
    // {"k": {"a": {"b": 1}, "a.b": 2, "a.c": {"d": 3}}}
    let inner = Array("}(".utf8) + text("a") + Array("}".utf8) + text("b") + Array("K".utf8) + [1] + Array("s".utf8)
    let more = text("a.b") + Array("K".utf8) + [2] + text("a.c") + Array("}".utf8) + text("d") + Array("K".utf8) + [3]
    let checkpoint = try PickleTests().open(PickleTests.wrap(inner + more + Array("su".utf8)))
    #expect(checkpoint.plainValue("k.a.b") == nil)
    #expect(checkpoint.plainValue("k.a.c.d") == .integer(3))
    #expect(checkpoint.plainValue("k.a") == .dictionary(["b": .integer(1)]))
  }

  @Test("Where no key is given, those that would do are named")
  func candidates() throws {
    let failure = #expect(throws: Failure.self) { try open("deep.pt").stateDictionary() }
    for text in ["state.nets.ema.0.999 (a state_dict of 70 tensors)", "state.nets.model"] {
      #expect(failure?.description.contains(text) == true, "\(String(describing: failure))")
    }
    let missing = #expect(throws: Failure.self) { try open("nested.pt").stateDictionary(key: "emma") }
    #expect(missing?.description.contains("no key \"emma\"") == true)
    #expect(missing?.description.contains("ema (a state_dict of 70 tensors)") == true)
    let optimizer = #expect(throws: Failure.self) { try open("nested.pt").stateDictionary(key: "opt") }
    #expect(optimizer?.description.contains("optimizer state of 3") == true)
  }
}
