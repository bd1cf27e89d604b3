import Diagnostics
import Foundation
import Records
import Stage
import TestSupport
import Testing

@Suite("What an output was made from")
struct ProvenanceTests {
  let folder: TemporaryFolder
  let provenance: Provenance

  init() throws {
    folder = try TemporaryFolder()
    try Data("abc".utf8).write(to: URL(fileURLWithPath: folder.file("network.h5")))
    provenance = Provenance(
      program: "sid-sample", inputs: ["network": try .init(folder.file("network.h5"))],
      options: ["seeds": "0-9", "class": "random"], kernels: "fast x86-64-v3")
  }

  @Test("An input is known by its digest and its bare name")
  func input() {
    #expect(provenance.inputs["network"]?.path == "network.h5")
    #expect(
      provenance.inputs["network"]?.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("A missing input is named, with status 66")
  func missingInput() {
    #expect { try Provenance.Input(folder.file("none.h5")) } throws: { error in
      (error as? Failure)?.status == .noInput && "\(error)".contains("none.h5")
    }
  }

  @Test("The text is stable and reads back")
  func text() throws {
    #expect(try #require(Provenance(json: provenance.json)) == provenance)
    #expect(provenance.json.hasPrefix(#"{"inputs":{"network":{"path":"network.h5","sha256":"ba78"#))
    #expect(Provenance(json: "[1]") == nil)
  }

  @Test("A finished output is the same, different by option, by input, or foreign")
  func finishedOutput() throws {
    let output = folder.file("samples.h5")
    func check(_ wanted: Provenance, holding text: String?, overwrite: Bool = false) throws -> FinishedOutput {
      try FinishedOutput.check(output, wanted: wanted, overwrite: overwrite) { _ in text }
    }
    #expect(try check(provenance, holding: nil) == .missing)
    try Data().write(to: URL(fileURLWithPath: output))
    #expect(try check(provenance, holding: provenance.json) == .same)
    #expect(try check(provenance, holding: provenance.json, overwrite: true) == .missing)

    let other = Provenance(
      program: "sid-sample", inputs: provenance.inputs, options: ["seeds": "0-99", "class": "random"])
    #expect { try check(other, holding: provenance.json) } throws: { error in
      (error as? Failure)?.status == .cannotCreate && "\(error)".contains("--seeds was 0-9 and is now 0-99")
    }
    try Data("abd".utf8).write(to: URL(fileURLWithPath: folder.file("network.h5")))
    let changed = Provenance(
      program: "sid-sample", inputs: ["network": try .init(folder.file("network.h5"))], options: provenance.options)
    #expect { try check(changed, holding: provenance.json) } throws: { error in
      (error as? Failure)?.status == .cannotCreate
        && "\(error)".contains("its network was network.h5 (SHA-256 ba7816bf)")
    }
    #expect { try check(provenance, holding: nil) } throws: { ($0 as? Failure)?.status == .cannotCreate }
  }

  @Test("A new version does not make a finished output another piece of work")
  func version() {
    let newer = Provenance(
      program: "sid-sample", version: "9.0.0", inputs: provenance.inputs, options: provenance.options)
    #expect(newer.difference(from: provenance) == nil)
    #expect(newer != provenance)
  }
}
