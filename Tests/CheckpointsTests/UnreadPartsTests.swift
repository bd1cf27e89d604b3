import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Parts of a checkpoint that are not read, beside those that are.
@Suite("What is not read stands aside, and is said")
struct UnreadPartsTests {
  private func open(_ name: String) throws -> Checkpoint { try Checkpoint.open(Fixtures.path("checkpoints/" + name)) }

  private func refusal(_ open: () throws -> Void) -> String {
    let failure = #expect(throws: Failure.self) { try open() }
    #expect(failure?.status == .dataError)
    return failure?.description ?? ""
  }

  /// A safetensors file with a header and so many bytes of data.
  private func safetensors(_ header: String, dataBytes: Int) throws -> Checkpoint {
    let folder = try TemporaryFolder()
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    try folder.write(length + Array(header.utf8) + [UInt8](repeating: 0, count: dataBytes), to: "x.safetensors")
    return try Checkpoint.open(folder.file("x.safetensors"))
  }

  @Test("Sparse tensors and layouts stand beside the weights; where one is needed it is named")
  func sparse() throws {
    let checkpoint = try open("sparse.pt")
    #expect(try checkpoint.stateDictionary(key: "model").tensor("a").values == [0, 1, 2, 3, 4, 5])
    let mixed = try checkpoint.stateDictionary(key: "w")
    #expect(mixed.tensorNames == ["a", "b"] && mixed.leftOut.map(\.name) == ["s"])
    #expect(mixed.problem(with: "s")?.contains("_rebuild_sparse_tensor") == true)
    #expect(refusal { _ = try mixed.tensor("s") }.contains("sparse"))
    // What else the package has runs code, and so does what is reached through the name.
    for name in ["_load", "load", "_get_layout.__globals__", "os"] {
      let value = PickleTests.ascii("ctorch.serialization\n\(name)\n)R")
      #expect(refusal { _ = try PickleTests().value(value) }.contains("nothing was executed"), "\(name)")
    }
    let list = PickleTests.ascii("ctorch.fx.immutable_collections\nimmutable_list\n)R")
    #expect(try PickleTests().value(list) == nil)
  }

  @Test("A tensor of a type that is not read is left out of a safetensors file", arguments: ["F8_E4M3", "U16", "C64"])
  func types(type: String) throws {
    let tensors = try safetensors(
      #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":{"dtype":"\#(type)","shape":[4],"#
        + #""data_offsets":[8,16]},"y":{"dtype":"U8","shape":[2],"data_offsets":[16,18]}}"#, dataBytes: 18
    ).stateDictionary()
    #expect(tensors.tensorNames == ["w", "y"] && tensors.shape(of: "y") == [2])
    #expect(tensors.leftOut.map(\.name) == ["x"])
    #expect(refusal { _ = try tensors.tensor("x") }.contains("of type \(type), which is not read"))
    // Its bytes count all the same.
    let gap = #"{"x":{"dtype":"\#(type)","shape":[4],"data_offsets":[8,16]}}"#
    #expect(refusal { _ = try safetensors(gap, dataBytes: 16) }.contains("data_offsets"))
  }

  @Test(
    "A key that stands twice in a safetensors header is refused, however it is written",
    arguments: [
      (#"{"a":T,"a":T}"#, "a"), (#"{"a":T, "\u0061" :T}"#, "a"), (#"{"__metadata__":{"k":"1","k":"2"},"a":T}"#, "k"),
      (#"{"a\"b":T,"x":T,"a\"b":T}"#, "a\"b"),
      (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"dtype":"I32"}}"#, "dtype"),
    ])
  func twice(header: String, key: String) throws {
    let tensor = #"{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#
    let text = header.replacing("T", with: tensor)
    #expect(refusal { _ = try safetensors(text, dataBytes: 16) }.contains("the key \"\(key)\" twice"))
    let once = #"{"__metadata__":{"dtype":"a, \"a\": {","shape":"[]"},"a":\#(tensor)}"#
    #expect(try safetensors(once, dataBytes: 16).stateDictionary().tensorNames == ["a"])
  }

  @Test("What is no checkpoint of today's is named, with what to do")
  func otherForms() throws {
    for (name, words) in [
      ("protocol0.pt", ["protocol", "torch.save(torch.load(FILE), OUT)"]),
      ("protocol1-legacy.pt", ["protocol 0 or 1", "torch.save(torch.load(FILE), OUT)"]),
      ("torchscript.pt", ["TorchScript", "torch.jit.load(FILE).state_dict()"]),
    ] {
      let said = refusal { _ = try open(name) }
      for word in words { #expect(said.contains(word), "\(name): \(said)") }
    }
    let folder = try TemporaryFolder()
    for text in ["(dp0\nS'a'\np1\nI1\ns.", "ccollections\nOrderedDict\np0\n(lp1\ntp2\nRp3\n."] {
      try folder.write(Array(text.utf8), to: "x.pkl")
      #expect(refusal { _ = try Checkpoint.open(folder.file("x.pkl")) }.contains("protocol 0 or 1"))
    }
    let zip = MadeArchive.zip([MadeArchive.Entry("a/data.pkl", [0x80, 2, 0x4E, 0x2E])])
    try folder.write(Array("#!/bin/sh\n".utf8) + zip, to: "x.pt")
    #expect(refusal { _ = try Checkpoint.open(folder.file("x.pt")) }.contains("zip -J"))
  }
}
