import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-convert` as a user runs it.
@Suite("sid-convert")
struct ConvertTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func convert(_ arguments: String...) throws -> Programs.Outcome { try Programs.run("sid-convert", arguments) }

  /// Nothing may stand under the output's name, nor debris beside it.
  func expectNoOutput(_ name: String) throws {
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasPrefix(name) })
  }

  @Test("A teacher becomes a network file with its provenance; the second run is recognised, another source is refused")
  func digits() throws {
    let output = folder.file("teacher.h5")
    let first = try convert(Fixtures.digits("teacher.pkl"), "--output", output)
    #expect(first.status == 0, "\(first.errors)")
    let file = try HDF5File.open(output)
    try file.requireFormat(HDF5Format("sid-network"))
    #expect(try file.root.stringAttribute("created_by").hasPrefix("sid-convert "))
    #expect(try file.root.stringAttribute("provenance").contains("4d4b76dc1c38987cb73b976b8a2811071d4beaa9"))
    #expect(try file.root.stringAttribute("config").contains("\"model_channels\":32"))
    #expect(try file.root.dataset("parameters/model.enc.8x8_conv.weight").shape == [32, 1, 3, 3])
    let summary = try String(contentsOfFile: folder.file("teacher.json"), encoding: .utf8)
    #expect(summary.contains("\"parameters\" : 309697"))

    let before = try Data(contentsOf: URL(fileURLWithPath: output))
    let second = try convert(Fixtures.digits("teacher.pkl"), "--output", output)
    #expect(second.status == 0)
    #expect(second.errors.contains("nothing to do"))
    let other = try convert(Fixtures.path("golden/checkpoints/sid_a_teacher.pkl"), "--output", output)
    #expect(other.status == 73)
    #expect(other.errors.contains("sid_a_teacher.pkl"))
    #expect(try convert(Fixtures.digits("teacher.pkl"), "--key", "ema", "--output", output).status == 73)
    #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == before)
    let again = try convert(Fixtures.path("golden/checkpoints/sid_a_teacher.pkl"), "--output", output, "--overwrite")
    #expect(again.status == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: output)) != before)
  }

  @Test("A foreign name in a pickle is refused by name and runs nothing")
  func foreignGlobal() throws {
    // What the pickle would do if anything in it were called.
    let trace = folder.file("executed")
    var pickle: [UInt8] = [0x80, 2] + Array("}X".utf8) + [3, 0, 0, 0] + Array("emacposix\nsystem\nX".utf8)
    let command = Array("touch \(trace)".utf8)
    pickle += [UInt8(command.count), 0, 0, 0] + command + [0x85] + Array("Rs.".utf8)
    try Data(pickle).write(to: URL(fileURLWithPath: folder.file("evil.pkl")))
    let outcome = try convert(folder.file("evil.pkl"), "--output", folder.file("out.h5"))
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains("posix.system"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
    #expect(!FileManager.default.fileExists(atPath: trace))
    try expectNoOutput("out")
  }

  @Test(
    "Damaged and unfit sources end in 65 with one line that names the fault",
    arguments: [
      ("golden/robustness/truncated_half.pkl", "truncated"),
      ("golden/robustness/truncated_last_byte.pkl", "truncated"),
      ("golden/robustness/all_weights_nan.pkl", "not finite"),
      ("golden/robustness/wrong_shape_for_config.pkl", "shape"),
      ("golden/robustness/pickle_unknown_global.pkl", "my.secret.module.Thing"),
      ("golden/robustness/empty_file.pkl", "empty"),
      ("golden/robustness/zip_wrong_crc.pt", "checksum"),
      ("golden/checkpoints/edm_ddpmpp_uncond.safetensors", "--config"),
    ])
  func unfit(name: String, says: String) throws {
    let outcome = try convert(Fixtures.path(name), "--output", folder.file("out.h5"))
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains(says), "\(outcome.errors)")
    let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("sid-convert:") }
    #expect(lines.count == 1)
    try expectNoOutput("out")
  }

  @Test("Every damaged or hostile file ends in 65, converted or listed; what is well formed is listed")
  func robustness() throws {
    let wellFormed = ["ok_tiny_reference.pkl", "all_weights_nan.pkl", "wrong_shape_for_config.pkl"]
    for name in try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("golden/robustness")) {
      let path = Fixtures.path("golden/robustness/" + name)
      let converted = try convert(path, "--output", folder.file("out.h5"), "--overwrite")
      #expect(converted.status == (name.hasPrefix("ok_") ? 0 : 65), "\(name): \(converted.errors)")
      let listed = try convert("list", path)
      #expect(listed.status == (wellFormed.contains(name) ? 0 : 65), "\(name): \(listed.errors)")
    }
  }

  @Test("Weights that are not finite are refused, unless they are wanted")
  func nonFinite() throws {
    let path = Fixtures.path("golden/robustness/all_weights_nan.pkl")
    #expect(try convert(path, "--output", folder.file("nan.h5")).status == 65)
    try expectNoOutput("nan")
    #expect(try convert(path, "--output", folder.file("nan.h5"), "--allow-nonfinite").status == 0)
    let weight = try HDF5File.open(folder.file("nan.h5")).root.dataset("parameters/model.map_layer0.weight")
    #expect(try weight.read(Float.self).allSatisfy(\.isNaN))
    let listed = try convert("list", path)
    #expect(listed.output.split(separator: "\n").contains { $0.contains("map_layer0.weight") && $0.hasSuffix(" 64") })
  }

  @Test("A missing source is 66, a missing folder 73, a missing option 64")
  func wrongCommandLines() throws {
    #expect(try convert(folder.file("none.pkl"), "--output", folder.file("out.h5")).status == 66)
    let noFolder = try convert(Fixtures.digits("teacher.pkl"), "--output", folder.file("none/out.h5"))
    #expect(noFolder.status == 73)
    #expect(try convert(Fixtures.digits("teacher.pkl")).status == 64)
    #expect(try convert(Fixtures.digits("teacher.pkl"), "--output", folder.file("o.h5"), "--frobnicate").status == 64)
    try expectNoOutput("out")
  }

  @Test("A source that is not the expected one is refused before it is read; without a digest nothing is checked")
  func expectedDigest() throws {
    let source = Fixtures.digits("teacher.pkl")
    let output = folder.file("out.h5")
    let digest = String(repeating: "0", count: 64)
    let other = try convert(source, "--output", output, "--expect-sha256", "source=\(digest)")
    #expect(other.status == 65, "\(other.errors)")
    #expect(other.errors.contains("teacher.pkl: its SHA-256 is 4d4b76dc") && other.errors.contains(digest))
    for (text, says) in [
      ("teacher=\(digest)", "the inputs are source"), ("source=12", "64 hexadecimal"), ("source", "INPUT=DIGEST"),
    ] {
      let outcome = try convert(source, "--output", output, "--expect-sha256", text)
      #expect(outcome.status == 64 && outcome.errors.contains(says), "\(outcome.errors)")
    }
    try expectNoOutput("out")
    let unknown = folder.file("garbage.pkl")
    try Data("no pickle".utf8).write(to: URL(fileURLWithPath: unknown))
    #expect(try convert(unknown, "--output", output, "--expect-sha256=source=\(digest)").errors.contains("SHA-256"))
    #expect(try convert(source, "--output", output, "--expect-sha256", "source=").status == 0)
    let summary = try String(contentsOfFile: folder.file("out.json"), encoding: .utf8)
    let known = try #require(summary.firstMatch(of: /"sha256" : "([0-9a-f]{64})"/)).1
    #expect(
      try convert(source, "--output", output, "--overwrite", "--expect-sha256", "source=\(known.uppercased())").status
        == 0)
  }

  @Test("An input is never written over")
  func outputIsInput() throws {
    let source = folder.file("teacher.pkl")
    try FileManager.default.copyItem(atPath: Fixtures.digits("teacher.pkl"), toPath: source)
    try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: source)
    for output in [source, folder.file("link")] {
      #expect(try convert(source, "--output", output, "--overwrite").status == 64)
    }
    #expect(FileManager.default.contentsEqual(atPath: source, andPath: Fixtures.digits("teacher.pkl")))
  }

  @Test("A dry run writes nothing")
  func dryRun() throws {
    let outcome = try convert(Fixtures.digits("teacher.pkl"), "--output", folder.file("out.h5"), "--dry-run")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("146 tensors"))
    try expectNoOutput("out")
  }

  @Test("A state_dict converts with its architecture from YAML, to the same parameters as the object")
  func stateDictionary() throws {
    let yaml = """
      precond: EDMPrecond
      model_type: SongUNet
      img_resolution: 16
      img_channels: 3
      augment_dim: 9
      model_channels: 16
      channel_mult: [1, 2]
      num_blocks: 1
      attn_resolutions: [8]
      dropout: 0.13
      """
    try yaml.write(toFile: folder.file("c.yaml"), atomically: false, encoding: .utf8)
    let object = try convert(Fixtures.path("golden/checkpoints/edm_ddpmpp_uncond.pkl"), "--output", folder.file("a.h5"))
    #expect(object.status == 0)
    for name in [
      "edm_ddpmpp_uncond.safetensors", "edm_ddpmpp_uncond_state_dict.pt", "edm_ddpmpp_uncond_state_dict_legacy.pt",
    ] {
      let outcome = try convert(
        Fixtures.path("golden/checkpoints/" + name), "--config", folder.file("c.yaml"), "--output", folder.file("b.h5"),
        "--overwrite")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let a = try HDF5File.open(folder.file("a.h5")).root
      let b = try HDF5File.open(folder.file("b.h5")).root
      #expect(try a.stringAttribute("config") == b.stringAttribute("config"))
      let names = try a.group("parameters").names
      #expect(try b.group("parameters").names == names)
      for name in names {
        #expect(
          try a.dataset("parameters/" + name).read(Float.self) == b.dataset("parameters/" + name).read(Float.self))
      }
    }
    // Each line ten times the one before.
    let laughs = (1...9).reduce("x0: &x0 [1, 1]\n") { text, i in
      text + "x\(i): &x\(i) [" + Array(repeating: "*x\(i - 1)", count: 10).joined(separator: ", ") + "]\n"
    }
    for (wrong, says) in [
      ("flux: 1", "flux"), ("model_type: OtherUNet", "OtherUNet"), (laughs, "anchors"),
      ("num_blocks: 2", "given twice"), ("[", "not YAML"),
    ] {
      let text =
        (wrong.hasPrefix("model_type") ? yaml.replacing("model_type: SongUNet", with: wrong) : yaml + "\n" + wrong)
      try text.write(toFile: folder.file("w.yaml"), atomically: false, encoding: .utf8)
      let outcome = try convert(
        Fixtures.path("golden/checkpoints/edm_ddpmpp_uncond.safetensors"), "--config", folder.file("w.yaml"),
        "--output",
        folder.file("out.h5"))
      #expect(outcome.status == 78, "\(wrong)")
      #expect(outcome.errors.contains(says), "\(outcome.errors)")
    }
    try expectNoOutput("out")
  }

  @Test("The digits' feature network converts with its list of layers; a list that does not fit is refused")
  func features() throws {
    let output = folder.file("features.h5")
    let source = Fixtures.digits("features.safetensors")
    let outcome = try convert(source, "--config", Fixtures.digits("features.yaml"), "--output", output)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let file = try HDF5File.open(output)
    try file.requireFormat(HDF5Format("sid-features"))
    #expect(try file.root.stringAttribute("provenance").contains("\"config\""))
    #expect(try file.root.group("parameters").names.count == 10)
    let again = try convert(source, "--config", Fixtures.digits("features.yaml"), "--output", output)
    #expect(again.status == 0 && again.errors.contains("nothing to do"))

    let yaml = try String(contentsOfFile: Fixtures.digits("features.yaml"), encoding: .utf8)
    for (old, new, status, says) in [
      ("outputs: 48", "outputs: 49", Int32(65), "conv3.weight"), ("average_pool", "max_pool", 78, "max_pool"),
      ("name: fc2, outputs: 10, output: scores", "name: fc3, outputs: 10", 65, "fc3.weight"),
    ] {
      try yaml.replacing(old, with: new).write(toFile: folder.file("w.yaml"), atomically: false, encoding: .utf8)
      let wrong = try convert(source, "--config", folder.file("w.yaml"), "--output", folder.file("out.h5"))
      #expect(wrong.status == status, "\(wrong.errors)")
      #expect(wrong.errors.contains(says), "\(wrong.errors)")
    }
    #expect(try convert(source, "--config", folder.file("none.yaml"), "--output", folder.file("out.h5")).status == 66)
    try expectNoOutput("out")
  }

  @Test(
    "verify passes for every golden network and fails once a weight is altered",
    arguments: [
      "edm_ddpmpp_uncond", "edm_ddpmpp_cond", "edm_ncsnpp_uncond", "edm_skip_extra", "edm_adm_cond",
      "vp_ddpmpp_uncond", "ve_ncsnpp_uncond", "iddpm_adm_cond",
    ])
  func verify(name: String) throws {
    let network = folder.file("n.h5")
    let vectors = Fixtures.path("golden/nets/\(name).h5")
    #expect(try convert(Fixtures.path("golden/checkpoints/\(name).pkl"), "--output", network).status == 0)
    let passed = try convert("verify", "--network", network, "--vectors", vectors)
    #expect(passed.status == 0, "\(passed.output)")
    let rows = passed.output.split(separator: "\n")
    #expect(rows[0].contains("max abs") && rows[0].contains("rel L2") && rows[0].contains("tolerance"))
    #expect(rows.dropFirst().allSatisfy { $0.hasSuffix("ok") })
    #expect(rows.contains { $0.hasPrefix("D_x ") } && rows.contains { $0.hasPrefix("D_x_scalar_sigma_2p5") })

    try alterOneWeight(of: network)
    let failed = try convert("verify", "--network", network, "--vectors", vectors)
    #expect(failed.status == 65)
    #expect(failed.output.contains("BEYOND"))
    #expect(failed.errors.contains("D_x"))
  }

  @Test("verify refuses vectors of another network, and files that are none")
  func verifyMismatch() throws {
    #expect(try convert(Fixtures.digits("teacher.pkl"), "--output", folder.file("t.h5")).status == 0)
    func verify(_ network: String, _ vectors: String) throws -> Int32 {
      try convert("verify", "--network", network, "--vectors", vectors).status
    }
    let golden = Fixtures.path("golden/nets/edm_ddpmpp_cond.h5")
    #expect(try verify(folder.file("t.h5"), golden) == 65)
    #expect(try verify(golden, golden) == 65)
    #expect(try verify(folder.file("t.h5"), Fixtures.digits("teacher.pkl")) == 65)
    #expect(try verify(folder.file("none.h5"), golden) == 66)
    #expect(try verify(folder.file("t.h5"), folder.file("none.h5")) == 66)
  }

  /// Copies the network with one element of one tensor multiplied.
  private func alterOneWeight(of path: String) throws {
    let source = try HDF5File.open(path)
    let config = try source.root.stringAttribute("config")
    let parameters = try source.root.group("parameters")
    let tensors = try parameters.names.map { name in
      let dataset = try parameters.dataset(name)
      return (name, dataset.shape, try dataset.read(Float.self))
    }
    let target = try #require(tensors.first { $0.0.contains("in0.conv0.weight") }?.0)
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("format", "sid-network")
      try file.root.setAttribute("format_version", 1)
      try file.root.setAttribute("config", config)
      let group = try file.root.createGroup("parameters")
      for (name, shape, values) in tensors {
        var altered = values
        if name == target { altered[0] += 0.5 }
        try group.write(altered, shape: shape, to: name)
      }
    }
  }
}
