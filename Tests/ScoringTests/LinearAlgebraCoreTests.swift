import Diagnostics
import Foundation
import Processor
import Scoring
import Testing

/// What a program asks for, by what it finds: the cores of OpenBLAS, tried and untried, right and wrong.
@Suite("Choosing OpenBLAS's core")
struct LinearAlgebraCoreTests {
  private typealias Core = LinearAlgebraCore

  private func core(_ name: String, isRight: Bool = true, isChosen: Bool = true) -> LinearAlgebraCore {
    LinearAlgebraCore(name: name, isChosen: isChosen, isRight: isRight)
  }

  /// Follows restarts to their end, with a library that knows some cores and takes `fallback` for the others.
  private func course(from first: String, knows: Set<String>, wrong: Set<String> = []) throws -> [String] {
    var (environment, name): ([String: String], String) = ([:], first)
    var names = [name]
    while true {
      let wanted = try core(name, isRight: !wrong.contains(name)).wanted(environment)
      if wanted.isEmpty { return names }
      environment.merge(wanted) { $1 }
      let asked = try #require(wanted[Core.variable])
      name = knows.contains(asked) ? asked : first
      names.append(name)
      try #require(names.count < 10)
    }
  }

  #if arch(x86_64)
    private var best: String { Core.candidates.first?.name ?? "" }
    private var all: Set<String> { Set(Core.candidates.map(\.name)) }

    @Test("An old core is exchanged for the best that the processor can run, once")
    func exchangesOldCores() throws {
      for old in ["Prescott", "Nehalem", "Sandybridge"] {
        #expect(try course(from: old, knows: all) == [old, best])
      }
    }

    @Test("A core that is right is kept, newer ones than are known here included")
    func keepsRightCores() throws {
      for name in [best, "SapphireRapids", "GraniteRapids"] + (InstructionSet.v4.isSupported ? ["Cooperlake"] : []) {
        #expect(try core(name).wanted([:]).isEmpty)
      }
    }

    @Test("A core that computes wrongly gives way to the next, down to the oldest")
    func leavesWrongCores() throws {
      #expect(try course(from: best, knows: all, wrong: [best]).last != best)
      #expect(try course(from: "Cooperlake", knows: all, wrong: ["Cooperlake"]).count == 2)
      let wide = all.subtracting(["Prescott"])
      #expect(try course(from: best, knows: all, wrong: wide).last == "Prescott")
      #expect(throws: Failure.self) { try course(from: best, knows: all, wrong: all) }
    }

    @Test("A library that does not know a core is not asked for it for ever")
    func endsWhereNothingIsKnown() throws {
      #expect(try course(from: "Prescott", knows: []).last == "Prescott")
      #expect(try course(from: "Prescott", knows: ["Haswell", "Zen"]).last == (Core.candidates.dropLast().last?.name))
    }
  #endif

  @Test("A core that the environment names is left alone, unless it computes wrongly")
  func leavesNamedCores() throws {
    #expect(try core("Prescott").wanted([Core.variable: "Prescott"]).isEmpty)
    let error = #expect(throws: Failure.self) {
      try core("Prescott", isRight: false).wanted([Core.variable: "Prescott"])
    }
    #expect(error?.status == .unavailable)
  }

  @Test("A library with one core has no other")
  func leavesFixedLibraries() throws {
    #expect(try core("ARMV8", isChosen: false).wanted([:]).isEmpty)
    #expect(throws: Failure.self) { try core("ARMV8", isRight: false, isChosen: false).wanted([:]) }
  }

  @Test("The core of this process multiplies as it should")
  func multipliesHere() { #expect(LinearAlgebraCore().isRight) }
}
