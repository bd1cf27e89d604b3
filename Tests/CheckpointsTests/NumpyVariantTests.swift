import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Arrays as other versions and habits of numpy write them.
@Suite("npz files as numpy reads them")
struct NumpyVariantTests {
  func open(_ name: String) throws -> NumpyFile { try NumpyFile(Fixtures.path("checkpoints/" + name)) }

  @Test("By columns, stored and deflated: the numbers of the rows", arguments: ["columns.npz", "columns-deflated.npz"])
  func columns(name: String) throws {
    let file = try open(name)
    let plain = try open("headers.npz")
    #expect(try file.doubles("sigma") == plain.doubles("sigma"))
    // Not symmetric, so that it shows whether it was turned.
    let skew = try plain.doubles("skew")
    #expect(try file.doubles("skew") == skew && skew[1] != skew[6])
    let rows = try NumpyRows(file, name: "images")
    #expect(rows.shape == [5, 4, 3, 2])
    let expected = try NumpyRows(try open("columns-deflated.npz"), name: "plain")
    for range in [0..<5, 0..<1, 2..<4, 4..<5, 1..<2, 3..<3] {
      #expect(try rows.rows(range) == expected.rows(range), "\(range)")
    }
    #expect(try expected.rows(0..<5).count == 120)
  }

  @Test("Headers of Python 2, of other versions, of other spacing")
  func headers() throws {
    let file = try open("headers.npz")
    let mu = try file.doubles("mu")
    #expect(file.shape(of: "mu") == [6] && file.shape(of: "sigma") == [6, 6] && file.shape(of: "scalar") == [])
    #expect(try mu == open("columns.npz").doubles("mu"))
    for name in ["v2", "v3"] { #expect(try file.doubles(name) == mu, "\(name)") }
    #expect(try file.doubles("scalar") == [mu[0]])
  }

  @Test("Arrays nobody asks for may be anything; one that is asked for is refused by name")
  func bystanders() throws {
    let file = try open("bystanders.npz")
    #expect(try file.doubles("mu") == open("headers.npz").doubles("mu"))
    #expect(try file.doubles("sigma") == open("headers.npz").doubles("sigma"))
    #expect(file.shape(of: "names") == nil && file.elementType(of: "table") == nil)
    for (name, says) in [
      ("source", "text"), ("names", "objects"), ("table", "structured"), ("when", "<M8[D]"), ("z", "complex"),
      ("big", "big-endian"), ("raw", "text"), ("none", "no array none"),
    ] {
      let failure = #expect(throws: Failure.self) { try file.requiredShape(of: name) }
      #expect(failure?.status == .dataError)
      #expect(failure?.problem.contains(says) == true && failure?.problem.contains(name) == true, "\(name)")
    }
    let tensors = try ForeignObjectTests.open("bystanders.npz").stateDictionary()
    #expect(tensors.tensorNames == ["mu", "sigma"])
    #expect(tensors.leftOut.count == 7)
  }

  @Test("Zip details: sizes behind the data, comments, extra fields, other entries, any name, bytes behind the end")
  func zipDetails() throws {
    let file = try open("zip-details.npz")
    #expect(file.names == ["mu", "sigma", "mü", "\\xffq"])
    for name in ["mu", "mü", "\\xffq"] { #expect(try file.doubles(name) == open("headers.npz").doubles("mu")) }
    #expect(try file.doubles("sigma") == open("headers.npz").doubles("sigma"))
    let checkpoint = try ForeignObjectTests.open("zip-details.npz").stateDictionary()
    #expect(checkpoint.leftOut.map(\.name) == ["README.txt", "folder/"])
  }

  @Test("A state_dict beside an array of text; one of its own tensors of another type is named")
  func stateDictionary() throws {
    let tensors = try ForeignObjectTests.open("state-beside-text.npz").stateDictionary()
    #expect(tensors.tensorNames.count == 70 && tensors.leftOut.map(\.name) == ["names"])
    let plain = try ForeignObjectTests.open("plain.pt").stateDictionary()
    #expect(
      try tensors.tensor("model.enc.8x8_conv.weight").values == plain.tensor("model.enc.8x8_conv.weight").values)
    let other = try ForeignObjectTests.open("state-big-endian.npz").stateDictionary()
    #expect(other.problem(with: "model.map_layer0.bias")?.contains("big-endian") == true)
  }

  @Test("A data set of pictures is no numpy archive, even with an array in it; nor is a torch archive")
  func otherArchives() throws {
    #expect(try !NumpyFile.isArchive(Fixtures.path("golden/dataset/tiny_rgb_8x8.zip")))
    #expect(try !NumpyFile.isArchive(Fixtures.path("checkpoints/plain.pt")))
    #expect(try NumpyFile.isArchive(Fixtures.path("checkpoints/zip-details.npz")))
    #expect(try !NumpyFile.isArchive(Fixtures.path("checkpoints/wrong-empty.npz")))
  }

  @Test(
    "What is taken for an npz or a checkpoint is said, with what to do",
    arguments: [
      ("wrong-gzip.pkl", "gzip", "unpack"), ("wrong-lfs.pt", "Git LFS pointer", "git lfs pull"),
      ("wrong-page.safetensors", "web page", "fetch"), ("wrong-text.yaml", "text", "expected"),
      ("wrong-empty.npz", "empty", "fetch"),
    ])
  func somethingElse(name: String, kind: String, remedy: String) throws {
    for open in [{ _ = try ForeignObjectTests.open(name) }, { _ = try self.open(name) }] as [() throws -> Void] {
      let failure = #expect(throws: Failure.self) { try open() }
      #expect(failure?.status == .dataError)
      #expect(failure?.problem.contains(kind) == true && failure?.remedy?.contains(remedy) == true, "\(name)")
    }
  }
}
