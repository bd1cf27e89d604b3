import Diagnostics
import Foundation
import Report
import TestSupport

/// The reader of a job's folder.
extension FuzzParser {
  /// The case is what the folder says of its one step, of its state and of its job; the page is made, without an archive.
  static func report() throws -> FuzzParser {
    let stages = ["distill", "train", "score", "sample", "convert"]
    return FuzzParser(
      name: "report", knownRecords: stages + ["curve", "figures", "metrics", "state", "losses"], seeds: reportSeeds,
      mutate: { bytes, donor, random in
        let words =
          stages + [
            "x.h5", "../x.h5", "<script>", "\\u0000", "2026-11-23T18:00:00Z", "kimg", "fd", "figures", "curve",
            "\n", "Loss/loss", "Loss/loss_at_sigma_0.1-0.3", "Progress/kimg", "1e308", "mean", "num",
          ]
        return TextMutation.apply(random.oneIn(8) ? bytes + donor : bytes, words: words, &random)
      },
      records: { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let named = stages.map { ("\"stage\":\"\($0)\"", $0) }
        let parts = [
          ("curve", "curve"), ("figures", "figures"), ("metrics", "metrics"), ("accepted", "state"),
          ("Progress/kimg", "losses"),
        ]
        return (named + parts).filter { text.contains($0.0) }.map { Record(name: $0.1, place: 0) }
      },
      read: { path in
        let folder = path + ".job"
        let files = FileManager.default
        try? files.removeItem(atPath: folder)
        try files.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? files.removeItem(atPath: folder) }
        for name in ["x.json", "status.json", "job.yaml", "log.stats.jsonl"] {
          try files.copyItem(atPath: path, toPath: "\(folder)/\(name)")
        }
        // The case is the log of this training.
        try Data(#"{"stage":"train","output":"log.html","figures":{}}"#.utf8).write(
          to: URL(fileURLWithPath: folder + "/log.json"))
        try Data("no image".utf8).write(to: URL(fileURLWithPath: folder + "/x.html"))
        var options = Reporting.Options()
        (options.duplicates, options.interpolations) = (0, 0)
        let page = try Reporting(ReportedJob(folder), options).page(provenance: "{}", createdBy: "fuzz") { _ in }
        guard !page.html.contains("<script") else {
          throw Failure(.software, path, "the page holds a script that a file of the folder brought in")
        }
      })
  }

  private static var reportSeeds: [[UInt8]] {
    let curve = (0..<8).map { #"{"kimg":\#($0),"fd":\#(9.5 / Double($0 + 1)),"seconds":\#($0 * 20)}"# }.joined(
      separator: ",")
    let log = (1..<6).map { line in
      let levels = ["0-0.01", "0.1-0.3", "30-inf"].map {
        #""Loss/loss_at_sigma_\#($0)":{"num":64,"mean":\#(1 / Double(line))}"#
      }
      return #"{"Loss/loss":{"num":192,"mean":0.9,"std":1},"Progress/kimg":{"num":1,"mean":\#(line),"std":0},"#
        + levels.joined(separator: ",") + "}"
    }.joined(separator: "\n")
    return [
      #"{"stage":"distill","output":"x.html","curve":[\#(curve)],"figures":{"fd_distillation_slope":-0.4,"#
        + #""distilled_kimg":102.4,"distillation_seconds":182,"curve_plot":"x.png"}}"#,
      #"{"stage":"train","output":"x.html","figures":{"trained_kimg":3.2},"dataset":{"images":1797},"curve":[]}"#,
      log,
      #"{"stage":"score","output":"x.html","figures":{"fd":0.3},"metrics":{"fd":{"definition":"d","images":5000,"#
        + #""notes":["n"],"reference_images":1797,"value":0.3}}}"#,
      #"{"stage":"sample","output":"x.html","images":5000,"images_per_second":870.5,"seeds":"0-4999","figures":{}}"#,
      #"{"stage":"convert","output":"x.html","provenance":"{\"program\":\"sid-convert\",\"inputs\":{}}","figures":{"a":"b"}}"#,
      #"{"job":"a","id":"20261123T180000Z-a-0123","accepted":"2026-11-23T18:00:00Z","steps":["x","y"],"step":"y"}"#,
    ].map { Array($0.utf8) }
  }
}
