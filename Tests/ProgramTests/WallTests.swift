import Foundation
import TestSupport
import Testing

@Suite("The walls between the programs")
struct WallTests {
  @Test("The daemon and its client link no numerics and no HDF5", arguments: ["sid-spoold", "sidctl"])
  func keepsTheWall(_ program: String) throws {
    let libraries = try libraries(program)
    for library in ["blas", "hdf5", "png", "archive"] { #expect(!libraries.contains(library)) }
  }

  @Test("OpenBLAS is for scores alone", arguments: ["sid-sample", "sid-convert", "sid-report", "sid-score"])
  func linksOpenBLAS(_ program: String) throws {
    #expect(try libraries(program).contains("openblas") == (program == "sid-score"))
  }

  private func libraries(_ program: String) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/ldd")
    process.arguments = [Programs.path(program)]
    process.standardOutput = pipe
    try process.run()
    let libraries = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(libraries.contains("libc.so"))
    return libraries
  }
}
