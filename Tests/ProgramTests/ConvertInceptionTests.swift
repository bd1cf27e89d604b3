import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-convert` and the Inception network of the FID.
@Suite("sid-convert and Inception-v3")
struct ConvertInceptionTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func convert(_ arguments: String...) throws -> Programs.Outcome { try Programs.run("sid-convert", arguments) }

  @Test("pytorch-fid's state_dict is known by its names, converted, listed and verified")
  func converted() throws {
    let (source, output) = (folder.file("pt_inception.pth"), folder.file("inception.h5"))
    let formula = try FormulaInception()
    try formula.writeTorchArchive(source)
    let outcome = try convert(source, "--output", output)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let root = try HDF5File.open(output).root
    #expect(try root.formatName() == "sid-features")
    #expect(try root.stringAttribute("config") == "inception-v3")
    let names = try root.group("parameters").names
    #expect(Set(names) == Set(formula.tensorNames.filter { !$0.hasSuffix("num_batches_tracked") }))
    for name in ["Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch_pool.bn.running_var", "fc.bias"] {
      let dataset = try root.dataset("parameters/\(name)")
      #expect(dataset.shape == formula.shape(of: name))
      #expect(try dataset.read(Float.self) == formula.tensor(name).values)
    }
    let summary = try JSONSerialization.jsonObject(
      with: try Data(contentsOf: URL(fileURLWithPath: folder.file("inception.json"))))
    #expect((summary as? [String: Any])?["architecture"] as? String == "inception-v3")

    for file in [source, output] {
      let list = try convert("list", file)
      #expect(list.status == 0, "\(list.errors)")
      #expect(list.output.contains("inception-v3") && list.output.contains("Mixed_7c.branch3x3dbl_3b.conv.weight"))
    }

    let verified = try convert("verify", "--network", output, "--vectors", Fixtures.path(FormulaInception.fixture))
    #expect(verified.status == 0, "\(verified.errors)")
    for name in ["rgb32/features", "rgb64/features", "gray32/features"] {
      #expect(verified.output.split(separator: "\n").contains { $0.hasPrefix(name) && $0.hasSuffix("ok") })
    }
    // Another file's vectors, and features of other weights.
    #expect(try convert("verify", "--network", output, "--vectors", output).status == 65)
    let other = folder.file("other.h5")
    let bench = try Programs.run("sid-bench", ["--network", "inception-v3", "--write-network", other])
    #expect(bench.status == 0, "\(bench.errors)")
    let failed = try convert("verify", "--network", other, "--vectors", Fixtures.path(FormulaInception.fixture))
    #expect(failed.status == 65 && failed.output.contains("BEYOND"))
  }

  @Test("torchvision's network is refused with the reason")
  func torchvision() throws {
    let source = folder.file("inception_v3_google.pth")
    try writeTorchArchive(
      [
        ("Mixed_5b.branch1x1.conv.weight", [64, 192, 1, 1]), ("AuxLogits.fc.weight", [1000, 768]),
        ("fc.weight", [1000, 2048]),
      ], to: source)
    let outcome = try convert(source, "--output", folder.file("i.h5"))
    #expect(outcome.status == 65)
    for text in ["torchvision", "FID", "pt_inception-2015-12-05-6726825d.pth"] {
      #expect(outcome.errors.contains(text))
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("i.h5")))
    #expect(try convert("list", source).status == 0)
  }

  @Test("An Inception network with a tensor missing is refused, and nothing is written")
  func incomplete() throws {
    let source = folder.file("i.pth")
    try writeTorchArchive(
      [("Mixed_5b.branch1x1.conv.weight", [64, 192, 1, 1]), ("fc.weight", [1008, 2048])], to: source)
    let outcome = try convert(source, "--output", folder.file("i.h5"))
    #expect(outcome.status == 65 && outcome.errors.contains("is missing"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("i.h5")))
  }
}
