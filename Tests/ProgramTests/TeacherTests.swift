import Foundation
import HDF5
import TestSupport
import Testing

/// Teachers of every preconditioner and architecture from the file to images of their students.
@Suite("Every kind of teacher passes through the programs", .serialized)
struct TeacherTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ program: String, _ arguments: [String]) throws -> Programs.Outcome {
    let outcome = try Programs.run(program, arguments)
    #expect(outcome.status == 0, "\(program): \(outcome.errors)")
    return outcome
  }

  private func images(_ name: String) throws -> [UInt8] {
    try HDF5File.open(folder.file(name)).root.dataset("images").read(UInt8.self)
  }

  @Test(
    "Converted, sampled in one step and in many, distilled, sampled again",
    arguments: ["vp_ddpmpp_uncond", "ve_ncsnpp_uncond", "iddpm_adm_cond", "edm_adm_cond", "edm_skip_extra"])
  func through(name: String) throws {
    let teacher = folder.file("teacher.h5")
    _ = try run("sid-convert", [Fixtures.path("golden/checkpoints/\(name).pkl"), "--output", teacher])
    let file = try HDF5File.open(teacher)
    let buffers = try file.root.group("parameters").names.filter { $0 == "u" || $0.hasSuffix(".freqs") }
    #expect(buffers == (name.hasPrefix("iddpm") ? ["u"] : name.hasPrefix("ve") ? ["model.map_noise.freqs"] : []))

    let heun = ["--network", teacher, "--seeds", "0-7", "--sampler", "heun", "--steps", "5"]
    _ = try run("sid-sample", heun + ["--output", folder.file("heun.h5")])
    #expect(
      try run("sid-sample", heun + ["--output", folder.file("none.h5"), "--dry-run"]).output.contains("8 images"))

    let distill = [
      "--teacher", teacher, "--output", folder.file("generator.h5"), "--state", folder.file("state.h5"), "--batch", "8",
      "--microbatch", "4", "--lr", "1e-4", "--glr", "1e-4", "--augment", "0", "--duration-kimg", "0.016",
    ]
    #expect(try run("sid-distill", distill + ["--dry-run"]).output.contains("16 images"))
    _ = try run("sid-distill", distill)
    #expect(try run("sid-distill", distill).errors.contains("already made"))
    for network in ["teacher", "generator"] {
      _ = try run(
        "sid-sample",
        ["--network", folder.file(network + ".h5"), "--seeds", "0-7", "--output", folder.file(network + "-images.h5")])
    }
    // Random weights behind VP, VE and iDDPM give values as large as the noise: black and white.
    #expect(Set(try images("heun.h5")).count > (name.hasPrefix("edm") ? 50 : 1))
    #expect(try images("teacher-images.h5") != images("generator-images.h5"))

    // The generator is of the teacher's kind, buffers included.
    let generator = try HDF5File.open(folder.file("generator.h5"))
    #expect(try generator.root.stringAttribute("config").contains(name.hasPrefix("iddpm") ? "iDDPMPrecond" : "Precond"))
    for buffer in buffers {
      #expect(
        try generator.root.dataset("parameters/" + buffer).read(Float.self)
          == file.root.dataset("parameters/" + buffer).read(Float.self))
    }
  }

  @Test("Noise levels that the network does not know are refused with its range")
  func ranges() throws {
    let teacher = folder.file("teacher.h5")
    _ = try run("sid-convert", [Fixtures.path("golden/checkpoints/ve_ncsnpp_uncond.pkl"), "--output", teacher])
    let sample = ["--network", teacher, "--seeds", "0-3", "--output", folder.file("out.h5")]
    let heun = ["--sampler", "heun", "--sigma-min", "0.001", "--sigma-max", "0.01"]
    let distill = [
      "--teacher", teacher, "--output", folder.file("out.h5"), "--state", folder.file("state.h5"), "--augment", "0",
    ]
    for (program, arguments) in [
      ("sid-sample", sample + heun), ("sid-sample", sample + ["--init-sigma", "0.01"]),
      ("sid-distill", distill + ["--init-sigma", "200"]),
    ] {
      let outcome = try Programs.run(program, arguments)
      #expect(outcome.status == 64 && outcome.errors.contains("0.02 to 100"), "\(outcome.errors)")
    }
  }

  @Test("A state_dict of every preconditioner converts with its YAML, the table of iDDPM included")
  func configurations() throws {
    let yaml = """
      precond: PRECOND
      model_type: SongUNet
      img_resolution: 16
      img_channels: 3
      augment_dim: 9
      model_channels: 16
      channel_mult: [1, 2]
      num_blocks: 1
      attn_resolutions: [8]
      """
    // The tensors of an EDM network are those of VP and VE networks; iDDPM's last layer is twice as wide.
    for (precond, more, status, says) in [
      ("VPPrecond", "beta_d: 19.9", Int32(0), ""), ("VEPrecond", "sigma_max: 50", 0, ""),
      ("VPPrecond", "sigma_data: 0.5", 78, "sigma_data"), ("VEPrecond", "M: 1000", 78, "\"M\""),
      ("iDDPMPrecond", "M: 1000", 65, "aux_conv"), ("iDDPMPrecond", "M: 0", 78, "M 0"),
      ("EDM2Precond", "M: 1", 78, "VPPrecond"), ("VPPrecond", "beta_d: -1", 78, "beta_d"),
    ] {
      try (yaml.replacing("PRECOND", with: precond) + "\n" + more).write(
        toFile: folder.file("c.yaml"), atomically: false, encoding: .utf8)
      let outcome = try Programs.run(
        "sid-convert",
        [
          Fixtures.path("golden/checkpoints/edm_ddpmpp_uncond.safetensors"), "--config", folder.file("c.yaml"),
          "--output", folder.file("out.h5"), "--overwrite",
        ])
      #expect(
        outcome.status == status && (says.isEmpty || outcome.errors.contains(says)),
        "\(precond) \(more): \(outcome.errors)")
    }
  }
}
