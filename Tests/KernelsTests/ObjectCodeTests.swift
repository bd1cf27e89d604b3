import Foundation
import TestSupport
import Testing

/// What stands in the objects of the kernels and in the linked programs.
///
/// An object may hold symbols that others hold, too: specialisations of generic functions of the standard library, copies of
/// structures, inlined functions that were not inlined. The linker keeps one of each, from whichever object it pleases. A
/// copy that was compiled for AVX-512 is then an illegal instruction on every other processor, and one compiled for AVX2
/// where a processor is refused that has not even that.
@Suite("Object code of the kernels")
struct ObjectCodeTests {
  /// One function of an object.
  struct Function {
    let name: String
    /// Whether the linker may give it to others in place of theirs.
    let isShared: Bool
    /// Whether it needs AVX, AVX2 or AVX-512.
    var isVector = false
    /// Whether it needs AVX-512.
    var isAVX512 = false

    mutating func take(_ instruction: Substring.UTF8View) {
      // All their instructions begin with v or concern mask registers.
      let isMasked = ObjectCodeTests.registers("k", in: instruction).next() != nil
      guard isMasked || instruction.first == UInt8(ascii: "v") else { return }
      isVector = true
      isAVX512 =
        isAVX512 || isMasked || ObjectCodeTests.registers("zmm", in: instruction).next() != nil
        || ["xmm", "ymm"].contains { ObjectCodeTests.registers($0, in: instruction).contains { $0 > 15 } }
    }
  }

  /// The numbers of the registers of a kind in an instruction, %ymm17 for example.
  static func registers(_ kind: StaticString, in text: Substring.UTF8View) -> AnyIterator<Int> {
    var rest = text
    return AnyIterator {
      while let start = rest.firstIndex(of: UInt8(ascii: "%")) {
        rest = rest[rest.index(after: start)...]
        let isKind = kind.withUTF8Buffer { rest.starts(with: $0) }
        guard isKind else { continue }
        let digits = rest.dropFirst(kind.utf8CodeUnitCount).prefix { (48...57).contains($0) }
        if let number = Int(Substring(digits)) { return number }
      }
      return nil
    }
  }

  /// The folder of the objects of all modules.
  static let folder = URL(fileURLWithPath: Programs.path("sid-sample")).deletingLastPathComponent()

  /// The modules that are built for an instruction set, and how names of theirs begin, length first.
  static let modules = [("Kernels", "7Kernels"), ("KernelsV4", "9KernelsV4")]

  static func output(_ program: String, _ arguments: [String]) throws -> String {
    let folder = try TemporaryFolder()
    try Data().write(to: URL(fileURLWithPath: folder.file("out")))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/\(program)")
    process.arguments = arguments
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("out")))
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(program) \(arguments.joined(separator: " "))")
    return try String(contentsOfFile: folder.file("out"), encoding: .utf8)
  }

  /// The functions of a file, by binutils.
  static func functions(of path: String) throws -> [Function] {
    var shared: Set<Substring> = []
    for line in try output("nm", [path]).split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 3, ["W", "w", "V", "v", "u"].contains(fields[1]) { shared.insert(fields[2]) }
    }
    var found: [Function] = []
    let listing = try output("objdump", ["--disassemble", "--no-show-raw-insn", path])
    for line in listing.utf8.split(separator: UInt8(ascii: "\n")) {
      if line.last == UInt8(ascii: ":"), let start = line.firstIndex(of: UInt8(ascii: "<")) {
        let name = Substring(line[line.index(after: start)...].dropLast(2))
        found.append(Function(name: String(name), isShared: shared.contains(name)))
      } else if let tab = line.firstIndex(of: UInt8(ascii: "\t")), !found.isEmpty {
        found[found.count - 1].take(line[line.index(after: tab)...])
      }
    }
    return found
  }

  /// The objects that the compiler makes of a module's sources; the folder may hold older ones, of sources that are gone.
  static func objects(of module: String) throws -> [String] {
    let map = Self.folder.appendingPathComponent("\(module).build/output-file-map.json")
    let outputs = try JSONDecoder().decode([String: [String: String]].self, from: Data(contentsOf: map))
    return outputs.values.compactMap { $0["object"] }.filter { FileManager.default.fileExists(atPath: $0) }
  }

  @Test("No vector code stands in a symbol that another module could be given", arguments: modules)
  func sharedSymbols(module: String, prefix: String) throws {
    let functions = try Self.objects(of: module).flatMap(Self.functions)
    // The reader reads: a set's kernels are there, with the registers of the set and of no other.
    #expect(functions.count > 50 && functions.contains { $0.isVector && $0.name.contains(prefix) })
    #expect(functions.contains(where: \.isAVX512) == (module == "KernelsV4"))
    for function in functions where function.isShared && function.isVector && !function.name.contains(prefix) {
      Issue.record("\(module): \(function.name) is compiled for the set and may replace others' copies")
    }
  }

  @Test("In a program, only the kernels of AVX-512 have its code, and only kernels vector code")
  func program() throws {
    let functions = try Self.functions(of: Programs.path("sid-sample"))
    #expect(functions.contains { $0.isAVX512 && $0.name.contains("9KernelsV4") })
    for function in functions where function.isAVX512 && !function.name.contains("9KernelsV4") {
      Issue.record("\(function.name) has AVX-512 code")
    }
    for function in functions where function.isVector && !Self.modules.contains(where: { function.name.contains($0.1) })
    {
      Issue.record("\(function.name) has vector code")
    }
  }

  @Test(
    "The reader of code tells AVX-512 from AVX2",
    arguments: [
      ("vaddps %ymm1,%ymm2,%ymm3", true, false), ("vaddps %ymm16,%ymm2,%ymm3", true, true),
      ("vaddps %zmm1,%zmm2,%zmm3", true, true), ("vmovups (%rdi),%xmm31", true, true),
      ("addps %xmm1,%xmm2", false, false),
      ("kmovw %eax,%k1", true, true), ("mov %rax,%rbx", false, false), ("vmovups (%rdi),%ymm1{%k2}{z}", true, true),
    ])
  func reader(text: String, isVector: Bool, isAVX512: Bool) {
    var function = Function(name: "f", isShared: false)
    function.take(text[...].utf8)
    #expect(function.isVector == isVector && function.isAVX512 == isAVX512)
  }
}
