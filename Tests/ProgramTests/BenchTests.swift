import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-bench` as a user and as `pipeline/bench` runs it.
@Suite("sid-bench")
struct BenchTests {
  private func object(_ line: some StringProtocol) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  private func isPositive(_ value: Any?) -> Bool {
    guard let number = value as? Double else { return false }
    return number.isFinite && number > 0
  }

  @Test(
    "A measurement is one JSON object of positive numbers",
    arguments: ["sample", "latency", "distill-step", "train-step"])
  func measures(work: String) throws {
    let batch = work == "latency" ? 1 : 2
    let outcome = try Programs.run(
      "sid-bench", ["--network", "digits", "--work", work, "--batch", "\(batch)", "--repetitions", "1", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try object(outcome.output)
    #expect(report["network"] as? String == "digits" && report["work"] as? String == work)
    #expect(report["batch"] as? Int == batch && report["repetitions"] as? Int == 1)
    #expect(
      isPositive(report["images_per_second"]) && isPositive(report["peak_bytes"]) && isPositive(report["threads"]))
    let seconds = try #require(report["seconds"] as? [String: Any])
    for name in ["median", "min", "max"] { #expect(isPositive(seconds[name])) }
    #expect((report["kernels"] as? String)?.isEmpty == false)
  }

  @Test("Features are measured with Inception-v3 alone")
  func features() throws {
    let outcome = try Programs.run(
      "sid-bench",
      ["--network", "inception-v3", "--work", "features", "--batch", "2", "--repetitions", "1", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try object(outcome.output)
    #expect(report["work"] as? String == "features" && isPositive(report["gflops"]))
    for (network, work) in [("digits", "features"), ("inception-v3", "sample")] {
      #expect(try Programs.run("sid-bench", ["--network", network, "--work", work]).status == 64)
    }
  }

  @Test("The distance of two statistics is measured without a network")
  func frechet() throws {
    let outcome = try Programs.run("sid-bench", ["--work", "frechet", "--repetitions", "1", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try object(outcome.output)
    #expect(report["work"] as? String == "frechet" && isPositive(report["images_per_second"]))
    #expect((report["kernels"] as? String)?.contains(", OpenBLAS ") == true)
  }

  @Test("Convolutions are measured by shape, in all directions")
  func convolutions() throws {
    let outcome = try Programs.run(
      "sid-bench",
      [
        "--work", "conv", "--shape", "5x7x3->8", "--shape", "4x4x8->4/1", "--batch", "1", "--repetitions", "1",
        "--json",
      ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let rows = try #require(try object(outcome.output)["convolutions"] as? [[String: Any]])
    #expect(rows.map { $0["shape"] as? String } == ["5x7x3->8", "4x4x8->4/1"])
    for row in rows {
      for direction in ["forward", "input_gradient", "weight_gradient"] {
        #expect(isPositive((row[direction] as? [String: Any])?["gflops"]))
      }
    }
  }

  @Test(
    "Tasks are counted, not measured: the same figures every time", arguments: ["sample", "distill-step", "train-step"])
  func tasks(work: String) throws {
    let arguments = ["--network", "digits", "--work", work, "--batch", "64", "--tasks"]
    let outcome = try Programs.run("sid-bench", arguments + ["--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try Programs.run("sid-bench", arguments + ["--json"]).output == outcome.output)
    let report = try object(outcome.output)
    #expect(report["batch"] as? Int == 64 && report["work"] as? String == work)
    let layers = try #require(report["layers"] as? [[String: Any]])
    #expect(layers.contains { $0["kind"] as? String == "convolution 3x3" })
    #expect(layers.contains { $0["kind"] as? String == "optimizer" } == (work != "sample"))
    #expect(abs(layers.reduce(0) { $0 + (($1["work_share"] as? Double) ?? 0) } - 1) < 1e-9)
    for layer in layers + [report] {
      let splits = try #require(layer["threads"] as? [[String: Any]])
      #expect(splits.compactMap { $0["threads"] as? Int } == [2, 8, 32, 64])
      for split in splits {
        let (serial, busy) = (try #require(split["serial_share"] as? Double), split["busy_share"] as? Double)
        #expect((0...1.001).contains(serial) && isPositive(busy))
      }
    }
    let table = try Programs.run("sid-bench", arguments)
    #expect(table.status == 0 && table.output.contains("serial share") && table.output.contains("group norm"))
  }

  @Test("--serve answers each line, and its outputs are those of the network it writes")
  func serves() throws {
    let folder = try TemporaryFolder()
    let (network, outputs) = (folder.file("n.h5"), folder.file("o.h5"))
    let outcome = try Programs.run(
      "sid-bench", ["--network", "digits", "--work", "sample", "--batch", "2", "--serve", "--write-network", network],
      input: "run\n\nbatch 3\noutputs \(outputs)\nbatch 0\njump\npeak\nquit\nrun\n")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let answers = try outcome.output.split(separator: "\n").map { try object($0) }
    #expect(answers.count == 9)
    #expect(answers[0]["ready"] as? Bool == true)
    #expect(isPositive(answers[1]["seconds"]) && isPositive(answers[2]["seconds"]))
    #expect(answers[3]["batch"] as? Int == 3)
    #expect(answers[4]["outputs"] as? String == outputs)
    #expect(answers[5]["error"] != nil && answers[6]["error"] != nil)
    #expect(isPositive(answers[7]["peak_bytes"]) && isPositive(answers[8]["peak_bytes"]))

    let again = folder.file("again.h5")
    let second = try Programs.run(
      "sid-bench", ["--network-file", network, "--work", "sample", "--batch", "3", "--serve"],
      input: "outputs \(again)\n")
    #expect(second.status == 0, "\(second.errors)")
    let (first, other) = (try HDF5File.open(outputs).root, try HDF5File.open(again).root)
    for name in ["latents", "class_labels", "images"] {
      let values = try first.dataset(name).read(Float.self)
      #expect(try other.dataset(name).read(Float.self) == values)
      #expect(values.allSatisfy(\.isFinite) && values.contains { $0 != 0 })
    }
    #expect(try first.dataset("images").shape == [3, 1, 8, 8])
  }

  @Test("The two steps of an iteration are written with objectives and gradients")
  func distillationOutputs() throws {
    let folder = try TemporaryFolder()
    let outcome = try Programs.run(
      "sid-bench", ["--network", "digits", "--work", "distill-step", "--batch", "2", "--serve"],
      input: "run\noutputs \(folder.file("o.h5"))\nquit\n")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let file = try HDF5File.open(folder.file("o.h5"))
    for step in ["fake_score", "generator"] {
      let group = try file.root.group(step)
      #expect(try group.doubleAttribute("objective").magnitude > 0)
      let norms = try group.dataset("gradient_norms").read(Double.self)
      #expect(try group.stringsAttribute("parameters").count == norms.count)
      #expect(norms.allSatisfy { $0.isFinite && $0 > 0 })
      #expect(try group.dataset("latents").shape == [2, 1, 8, 8])
    }
  }

  @Test("An iteration of a teacher's training is written with its draws, objective and gradients")
  func trainingOutputs() throws {
    let folder = try TemporaryFolder()
    let outcome = try Programs.run(
      "sid-bench", ["--network", "digits", "--work", "train-step", "--batch", "3", "--serve"],
      input: "run\noutputs \(folder.file("o.h5"))\nrun\noutputs \(folder.file("again.h5"))\nquit\n")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let (root, again) = (try HDF5File.open(folder.file("o.h5")).root, try HDF5File.open(folder.file("again.h5")).root)
    #expect(try root.doubleAttribute("objective") > 0)
    let norms = try root.dataset("gradient_norms").read(Double.self)
    #expect(try root.stringsAttribute("parameters").count == norms.count)
    #expect(norms.allSatisfy { $0.isFinite && $0 > 0 })
    #expect(try root.dataset("images").shape == [3, 1, 8, 8])
    #expect(try root.dataset("class_labels").shape == [3, 10])
    // Whatever has been trained since, they are those of the network as it came.
    #expect(try again.dataset("gradient_norms").read(Double.self) == norms)
  }

  @Test(
    "Options that do not go together are refused",
    arguments: [
      ["--network", "digit", "--work", "sample"], ["--work", "sample"], ["--network", "digits"],
      ["--network", "digits", "--network-file", "n.h5", "--work", "sample"],
      ["--network", "digits", "--tasks"], ["--network", "digits", "--work", "latency", "--tasks"],
      ["--network", "digits", "--work", "sample", "--tasks", "--serve"], ["--cpu", "--tasks"],
      ["--network", "digits", "--work", "latency", "--batch", "2"], ["--work", "conv", "--serve"],
      ["--work", "frechet", "--batch", "2"],
      ["--work", "conv", "--shape", "5x7x3"], ["--work", "conv", "--shape", "5x7x3->4/2"],
      ["--network", "digits", "--work", "sample", "--shape", "5x7x3->4"],
    ])
  func refuses(arguments: [String]) throws {
    #expect(try Programs.run("sid-bench", arguments).status == 64)
  }
}
