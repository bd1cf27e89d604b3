import Diagnostics
import Processor
import Testing

@Suite("Choosing the kernels' instruction set")
struct InstructionSetTests {
  private func refusal(_ name: String) throws -> Failure {
    let error = #expect(throws: Failure.self) { try InstructionSet.chosen([InstructionSet.variable: name]) }
    return try #require(error)
  }

  @Test("Without a name it is the widest that the processor has")
  func widest() throws {
    #expect(try InstructionSet.chosen([:]) == InstructionSet.allCases.last(where: \.isSupported))
  }

  @Test("A name is taken for its set, or refused where the processor lacks it", arguments: InstructionSet.allCases)
  func named(set: InstructionSet) throws {
    if set.isSupported {
      #expect(try InstructionSet.chosen([InstructionSet.variable: set.rawValue]) == set)
    } else {
      let failure = try refusal(set.rawValue)
      #expect(failure.status == .unavailable && "\(failure)".contains(set.features))
    }
  }

  @Test("A name of no set is a mistake of usage", arguments: ["", "x86-64-v5", "X86-64-V3", "haswell"])
  func unknown(name: String) throws {
    let failure = try refusal(name)
    #expect(failure.status == .usage)
    for set in InstructionSet.allCases { #expect("\(failure)".contains(set.rawValue)) }
  }
}
