import Foundation
import HDF5
import TestSupport
import Testing

/// The metrics, sources and shares of `sid-score` as a user meets them.
@Suite("sid-score with metrics")
struct ScoreMetricsTests {
  let folder: TemporaryFolder
  let features: String
  let archive = Fixtures.digits("digits-8x8.zip")

  init() throws {
    folder = try TemporaryFolder()
    features = folder.file("features.h5")
    let converted = try Programs.run(
      "sid-convert",
      [Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output", features])
    try #require(converted.status == 0, "\(converted.errors)")
  }

  private func run(_ arguments: String...) throws -> Programs.Outcome {
    try Programs.run("sid-score", arguments + ["--features", features])
  }

  private func summary(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func figures(_ name: String) throws -> [String: Double] {
    try #require(try summary(name)["figures"] as? [String: Double])
  }

  @Test("Every metric stands in file and summary with definition, counts and uncertainty; images do as a reference")
  func metrics() throws {
    let made = try run("reference", "--dataset", archive, "--output", folder.file("kept.h5"), "--keep-features")
    #expect(made.status == 0, "\(made.errors)")
    let options = [
      "--metrics", "fid,kid", "--metrics", "is,pr,fd-infinity", "--kid-subsets", "7", "--kid-subset-size", "300",
      "--bootstrap", "3", "--count", "600",
    ]
    for (reference, output) in [(folder.file("kept.h5"), "a.h5"), (archive, "b.h5")] {
      let outcome = try Programs.run(
        "sid-score",
        ["--samples", archive, "--reference", reference, "--features", features, "--output", folder.file(output)]
          + options)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errors.contains("600 scored images are fewer than ten times the 64 features"))
    }
    let values = try figures("a.json")
    #expect(try figures("b.json") == values)
    #expect(Set(values.keys) == ["fid", "kid", "is", "precision", "recall", "fid_infinity"])
    let root = try HDF5File.open(folder.file("a.h5")).root
    #expect(try root.stringsAttribute("figures") == ["fid", "kid", "is", "precision", "recall", "fid_infinity"])
    for (name, value) in values {
      #expect(try abs(root.doubleAttribute(name) - value) <= 1e-14 * abs(value))
      #expect(try root.intAttribute(name + "_image_count") == 600)
      #expect(try !root.stringAttribute(name + "_definition").isEmpty)
    }
    #expect(try root.doubleAttribute("kid_standard_deviation") > 0)
    #expect(try root.doubleAttribute("is_standard_deviation") > 0)
    #expect(try root.doubleAttribute("fid_standard_error") > 0)
    #expect(try root.doubleAttribute("fid_infinity_standard_error") > 0)
    #expect(try root.stringAttribute("kid_uncertainty").contains("7 subsets"))
    #expect(try root.stringAttribute("kid_definition").contains("300"))
    #expect(try root.stringsAttribute("fid_notes").contains { $0.contains("rank") })
    // Part of the real images: all of them precise, and their distance nearly gone in the limit.
    #expect(values["precision"] == 1)
    #expect(try #require(values["fid_infinity"]) < #require(values["fid"]))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasPrefix(".") })
  }

  @Test("Kept features stand in for the images")
  func keptFeatures() throws {
    _ = try run("reference", "--dataset", archive, "--output", folder.file("kept.h5"), "--keep-features")
    func score(_ samples: String, _ output: String, _ more: String...) throws -> Programs.Outcome {
      try Programs.run(
        "sid-score",
        [
          "--samples", samples, "--reference", folder.file("kept.h5"), "--features", features, "--output",
          folder.file(output), "--figure", "x",
        ] + more)
    }
    #expect(try score(archive, "first.h5", "--count", "500", "--metrics", "fid", "--keep-features").status == 0)
    let later = try score(folder.file("first.features.h5"), "later.h5", "--metrics", "fid,is,pr")
    #expect(later.status == 0, "\(later.errors)")
    #expect(try score(archive, "direct.h5", "--count", "500", "--metrics", "fid,is,pr").status == 0)
    #expect(try figures("later.json") == figures("direct.json"))
    #expect(try figures("later.json")["x"] == figures("first.json")["x"])
    #expect(try Set(figures("later.json").keys) == ["x", "x_is", "x_precision", "x_recall"])
    #expect(try score(folder.file("first.features.h5"), "no.h5", "--count", "100").status == 64)
  }

  @Test("Shares merge to the bytes of statistics that one machine made; npz goes out and comes back")
  func shares() throws {
    let samples = folder.file("samples.h5")
    try HDF5File.publish(samples) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      let pixels = (0..<9000 * 64).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0 >> 3) }
      try file.root.write(pixels, shape: [9000, 8, 8, 1], to: "images")
    }
    #expect(try run("reference", "--dataset", samples, "--output", folder.file("whole.h5")).status == 0)
    var parts: [String] = []
    for index in 1...3 {
      parts.append(folder.file("part\(index).h5"))
      #expect(
        try run("reference", "--dataset", samples, "--share", "\(index)/3", "--output", parts[index - 1]).status == 0)
    }
    let merged = try Programs.run("sid-score", ["merge"] + parts + ["--output", folder.file("merged.h5")])
    #expect(merged.status == 0, "\(merged.errors)")
    let (a, b) = (try HDF5File.open(folder.file("whole.h5")).root, try HDF5File.open(folder.file("merged.h5")).root)
    for name in ["mu", "sigma"] {
      #expect(try a.dataset(name).read(Double.self) == b.dataset(name).read(Double.self))
    }
    let missing = try Programs.run(
      "sid-score", ["merge", parts[0], parts[2], "--output", folder.file("no.h5")])
    #expect(missing.status == 65)
    #expect(missing.errors.contains("images 4096 to 8191"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("no.h5")))
    let unfinished = try run("--samples", samples, "--reference", parts[0], "--output", folder.file("no.h5"))
    #expect(unfinished.status == 65)
    #expect(unfinished.errors.contains("sid-score merge"))

    #expect(try run("reference", "--dataset", samples, "--output", folder.file("x.npz")).status == 0)
    let again = try run("reference", "--dataset", samples, "--output", folder.file("x.npz"))
    #expect(again.status == 0 && again.errors.contains("nothing to do"))
    let silent = try run("--samples", samples, "--reference", folder.file("x.npz"), "--output", folder.file("s.h5"))
    #expect(silent.status == 64)
    #expect(silent.errors.contains("--reference-convention"))
    let said = try run(
      "--samples", samples, "--reference", folder.file("x.npz"), "--reference-convention", "native",
      "--reference-count", "9000", "--output", folder.file("s.h5"))
    #expect(said.status == 0, "\(said.errors)")
    #expect(try abs(#require(figures("s.json")["fd"])) < 1e-6)
    let foreign = try run(
      "--samples", samples, "--reference", folder.file("x.npz"), "--reference-convention", "tensorflow",
      "--reference-count", "9000", "--output", folder.file("t.h5"))
    #expect(foreign.status == 65)
    #expect(foreign.errors.contains("tensorflow"))
  }

  @Test(
    "Options that make no sense are usage errors",
    arguments: [
      ["--metrics", "fid,fid"], ["--metrics", "fad"], ["--metrics", ""], ["--kid-subsets", "0"],
      ["--convention", "torch"], ["--bootstrap", "1"], ["--reference-count", "1"],
    ])
  func usage(options: [String]) throws {
    let outcome = try Programs.run(
      "sid-score",
      ["--samples", archive, "--reference", archive, "--features", features, "--output", folder.file("o.h5")] + options)
    #expect(outcome.status == 64)
  }
}
