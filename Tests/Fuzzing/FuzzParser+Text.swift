import Diagnostics
import Foundation
import Sampling
import Spool
import TestSupport
import YAML

/// The readers of texts.
extension FuzzParser {
  static func labelsFile() throws -> FuzzParser {
    FuzzParser(
      name: "labels", knownRecords: ["no end of line", "carriage return", "empty", "many lines"],
      seeds: [
        Array("1\n2\n0\n".utf8), Array("7\r\n9\r\n3".utf8), [],
        Array((0..<9000).map { "\($0 % 10)\n" }.joined().utf8),
      ],
      mutate: { bytes, _, random in
        random.oneIn(2) ? ByteMutation.apply(bytes, &random) : TextMutation.apply(bytes, words: [""], &random)
      },
      records: { bytes in
        var names = bytes.isEmpty ? ["empty"] : []
        if let last = bytes.last, last != 0x0A { names.append("no end of line") }
        if bytes.contains(0x0D) { names.append("carriage return") }
        if bytes.count > 1 << 14 { names.append("many lines") }
        return names.map { Record(name: $0, place: 0) }
      },
      read: { path in
        let file = try LabelsFile(path)
        _ = try file.labels(max(0, file.count - 9)..<file.count)
        _ = try file.labels(0..<min(9, file.count))
      })
  }

  static func jobFile() throws -> FuzzParser {
    let folder = Fixtures.repository + "/pipeline"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }.sorted()
    let stages = ["convert", "distill", "sample", "score"]
    return FuzzParser(
      name: "job-file", knownRecords: stages + ["list in brackets", "anchor", "tag", "block text"],
      seeds: try files.map { Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0))) }
        + [
          Array("job: x\nsteps:\n  - sample: { network: a.h5, seeds: 0-9, export: [npz, png] }\n".utf8),
          Array("job: &a x\nsteps: [*a, !!str y]\nz: |\n  text\n".utf8),
        ],
      mutate: { bytes, donor, random in
        let words =
          stages + ["job", "steps", "name", "&a", "*a", "!!int", "<<", "~", ".inf", "0x10", "../x", "- ", "? "]
        return TextMutation.apply(random.oneIn(8) ? bytes + donor : bytes, words: words, &random)
      },
      records: { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let accepted = stages.map { ("- \($0):", $0) } + [("[", "list in brackets")]
        // What is always refused is reached where it stands.
        let refused = [("&", "anchor"), ("!!", "tag"), (": |", "block text")]
        return accepted.filter { text.contains($0.0) }.map { Record(name: $0.1, place: 0) }
          + refused.filter { text.contains($0.0) }.map { Record(name: $0.1, place: -1) }
      },
      read: { path in
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        do {
          _ = try JobFile(bytes)
        } catch let error as YAMLError {
          throw error.failure(in: path)
        }
      })
  }
}
