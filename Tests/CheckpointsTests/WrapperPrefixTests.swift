import Checkpoints
import Diagnostics
import TestSupport
import Testing

/// Names under which wrapped networks are saved.
@Suite("Prefixes of wrappers")
struct WrapperPrefixTests {
  /// As EDM's preconditioners are told.
  static func isRecognised(_ tensors: CheckpointTensors) -> Bool {
    tensors.shape(of: "model.enc.8x8_conv.weight") != nil
  }

  func unwrapped(_ name: String) throws -> WrapperPrefix {
    try WrapperPrefix(try ForeignObjectTests.open(name).stateDictionary(), isRecognised: Self.isRecognised)
  }

  @Test(
    "What every tensor has is taken off and said",
    arguments: [
      ("prefix-module.pt", "module."), ("prefix-compiled.pt", "_orig_mod."), ("prefix-lightning.pt", "model."),
      ("prefix-module-compiled.pt", "module._orig_mod."), ("prefix-compiled-module-legacy.pt", "_orig_mod.module."),
      ("prefix-module-twice.pt", "module.module."), ("prefix-net-module.pt", "net.module."),
      ("prefix-inner-compiled.pt", "_orig_mod."),
    ])
  func removed(name: String, prefix: String) throws {
    let result = try unwrapped(name)
    #expect(result.removed == prefix)
    try ForeignObjectTests.expectPlain(result.tensors, name)
  }

  @Test("EDM's own prefix stays")
  func own() throws {
    let result = try unwrapped("plain.pt")
    #expect(result.removed == nil)
    try ForeignObjectTests.expectPlain(result.tensors, "plain.pt")
  }

  @Test(
    "Where only some names have it, it is named", arguments: [("prefix-some.pt", 35), ("prefix-averaged-model.pt", 70)])
  func some(name: String, count: Int) throws {
    let failure = #expect(throws: Failure.self) { try unwrapped(name) }
    #expect(failure?.description.contains("\(count) of \(count == 35 ? 70 : 71) tensors") == true)
    #expect(failure?.description.contains("\"module.\"") == true, "\(String(describing: failure))")
  }

  @Test("Names that are not known stay as they are, but for the wrappers' words")
  func unknown() throws {
    let result = try WrapperPrefix(try ForeignObjectTests.open("prefix-lightning.pt").stateDictionary()) { _ in false }
    #expect(result.removed == nil && result.tensors.tensorNames.allSatisfy { $0.hasPrefix("model.model.") })
    let other = try WrapperPrefix(try ForeignObjectTests.open("prefix-net-module.pt").stateDictionary()) { _ in false }
    #expect(other.removed == "module." && other.tensors.tensorNames.allSatisfy { $0.hasPrefix("net.model.") })
  }
}
