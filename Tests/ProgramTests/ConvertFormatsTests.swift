import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-convert list`, state_dicts in and out, and the official trainer's states.
@Suite("sid-convert and the files of other programs")
struct ConvertFormatsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func convert(_ arguments: String...) throws -> Programs.Outcome { try Programs.run("sid-convert", arguments) }

  /// Two network files have the same architecture and the same bits.
  func expectSame(_ a: String, _ b: String) throws {
    let (a, b) = (try HDF5File.open(folder.file(a)).root, try HDF5File.open(folder.file(b)).root)
    #expect(try a.stringAttribute("config") == b.stringAttribute("config"))
    let names = try a.group("parameters").names
    #expect(try b.group("parameters").names == names)
    for name in names {
      let bits = try a.dataset("parameters/" + name).read(Float.self).map(\.bitPattern)
      #expect(try bits == b.dataset("parameters/" + name).read(Float.self).map(\.bitPattern), "\(name)")
    }
  }

  @Test(
    "A network goes out as a state_dict and comes back by itself",
    arguments: [("safetensors", "safetensors"), ("torch", "pt")])
  func roundTrip(format: String, fileExtension: String) throws {
    let source = Fixtures.path("golden/checkpoints/edm_ncsnpp_uncond.pkl")
    #expect(try convert(source, "--output", folder.file("a.h5")).status == 0)
    let summary = try Data(contentsOf: URL(fileURLWithPath: folder.file("a.json")))
    let out = try convert(folder.file("a.h5"), "--to", format)
    #expect(out.status == 0, "\(out.errors)")
    // The summary beside the network stays its own.
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("a.json"))) == summary)
    #expect(try convert(folder.file("a.h5"), "--to", format).errors.contains("nothing to do"))
    let back = try convert(folder.file("a." + fileExtension), "--output", folder.file("b.h5"))
    #expect(back.status == 0, "\(back.errors)")
    try expectSame("a.h5", "b.h5")
    let other = try convert(source, "--to", format, "--output", folder.file("a." + fileExtension))
    #expect(other.status == 73)
  }

  @Test(
    "Names and shapes give all of a state_dict's architecture but the preconditioner",
    arguments: [
      "edm_ddpmpp_uncond.safetensors", "edm_ddpmpp_uncond_state_dict.pt", "edm_ddpmpp_uncond_state_dict_legacy.pt",
    ])
  func inferred(name: String) throws {
    let source = Fixtures.path("golden/checkpoints/" + name)
    let open = try convert(source, "--output", folder.file("b.h5"))
    #expect(open.status == 65)
    #expect(open.errors.contains("precond: EDMPrecond"))
    // As editors of Windows save it.
    try "\u{FEFF}precond: EDMPrecond\r\ndropout: 0.13\r\n".write(
      toFile: folder.file("c.yaml"), atomically: false, encoding: .utf8)
    let object = try convert(Fixtures.path("golden/checkpoints/edm_ddpmpp_uncond.pkl"), "--output", folder.file("a.h5"))
    #expect(object.status == 0)
    let outcome = try convert(source, "--config", folder.file("c.yaml"), "--output", folder.file("b.h5"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    try expectSame("a.h5", "b.h5")
  }

  @Test(
    "list shows kind, architecture, and of every tensor name, shape, type and range",
    arguments: [
      ("checkpoints/edm_adm_cond.pkl", "EDM pickle", "EDMPrecond around DhariwalUNet", "F32"),
      ("checkpoints/sid_a_training-state-000000.pt", "torch zip archive", "optimizer state of 142 of 143", "F32"),
      ("checkpoints/edm_ddpmpp_uncond_state_dict_legacy.pt", "old form", "model_type=\"SongUNet\"", "F32"),
      ("checkpoints/edm_ddpmpp_uncond.safetensors", "safetensors file", "resample_filter=[1, 1]", "F32"),
      ("fid/reference_stats_24d_compressed.npz", "numpy archive", "[24, 24]", "F64"),
    ])
  func list(name: String, kind: String, architecture: String, type: String) throws {
    let outcome = try convert("list", Fixtures.path("golden/" + name))
    #expect(outcome.status == 0, "\(outcome.errors)")
    for text in [kind, architecture, type, "least", "not finite"] { #expect(outcome.output.contains(text), "\(text)") }
  }

  @Test("list shows this package's files too; a file that holds nothing it knows is 65")
  func listOwn() throws {
    #expect(try convert(Fixtures.digits("teacher.pkl"), "--output", folder.file("t.h5")).status == 0)
    let outcome = try convert("list", folder.file("t.h5"))
    #expect(outcome.output.contains("sid-network"))
    #expect(outcome.output.contains("146 tensors"))
    #expect(try convert("list", Fixtures.path("images/palette.png")).status == 65)
    #expect(try convert("list", folder.file("none")).status == 66)
  }

  @Test("An official training state becomes one of this package, and sid-distill goes on from it")
  func trainingState() throws {
    let source = Fixtures.path("golden/checkpoints/sid_a_training-state-000000.pt")
    let state = folder.file("state.h5")
    let converted = try convert(source, "--output", state)
    #expect(converted.status == 0, "\(converted.errors)")
    let root = try HDF5File.open(state).root
    #expect(try root.formatName() == "sid-training-state")
    #expect(try root.intAttribute("images_seen") == 0)
    #expect(try root.dataset("generator_optimizer/second_moment/model.map_augment.weight").intAttribute("step") == 5)
    #expect(try root.group("fake_score_optimizer/second_moment").names.count == 142)
    // One of its networks is asked for by its key, from either file.
    #expect(try convert(source, "--key", "G_ema", "--output", folder.file("a.h5")).status == 0)
    #expect(try convert(state, "--key", "generator_ema", "--output", folder.file("b.h5")).status == 0)
    try expectSame("a.h5", "b.h5")
    #expect(try convert(state, "--output", folder.file("c.h5")).status == 64)

    let teacher = Fixtures.path("golden/checkpoints/sid_a_teacher.pkl")
    #expect(try convert(teacher, "--output", folder.file("teacher.h5")).status == 0)
    func distill(_ more: String...) throws -> Programs.Outcome {
      try Programs.run(
        "sid-distill",
        ["--teacher", folder.file("teacher.h5"), "--state", state, "--output", folder.file("generator.h5")]
          + ["--batch", "4", "--augment", "0", "--dropout", "0", "--lr", "2e-4", "--glr", "1e-4"] + more)
    }
    let wrong = try distill("--duration-kimg", "0.008", "--g-beta1", "0.5")
    #expect(wrong.status == 73)
    #expect(wrong.errors.contains("--g-beta1"))
    let run = try distill("--duration-kimg", "0.008")
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("going on with the run of sid_a_training-state-000000.pt at 0 images"))
    let after = try HDF5File.open(state).root
    #expect(try after.dataset("generator_optimizer/second_moment/model.map_augment.weight").intAttribute("step") == 7)
    #expect(try after.stringAttribute("continues").contains("sid_a_training-state-000000.pt"))
    #expect(try HDF5File.open(folder.file("generator.h5")).root.stringAttribute("continues").contains("sid-convert"))
    // From here on it is a state like any other.
    let again = try distill("--duration-kimg", "0.016", "--overwrite")
    #expect(again.status == 0, "\(again.errors)")
  }

  @Test("A state under another name counts the optimizer's iterations")
  func renamedState() throws {
    let source = folder.file("run.pt")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("golden/checkpoints/sid_a_training-state-000000.pt"), toPath: source)
    #expect(try convert(source, "--output", folder.file("state.h5")).status == 0)
    let root = try HDF5File.open(folder.file("state.h5")).root
    #expect(try root.intAttribute("iterations") == 5)
    #expect(!root.hasAttribute("images_seen"))
  }
}
