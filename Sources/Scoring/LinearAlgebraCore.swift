import COpenBLAS
import Diagnostics
import Foundation
import Processor

/// Which of its cores OpenBLAS shall compute with.
///
/// The library chooses when it is loaded, by a list of the processors that were known when it was built, and takes an old
/// core for one that it does not know: 0.3.21 runs SSE3 on an Emerald Rapids, at a fifth of the speed. The variable that
/// names another core is read at that moment, too, so a program that finds the wrong one starts itself again.
public struct LinearAlgebraCore: Sendable {
  /// The variable by which OpenBLAS is told a core.
  public static let variable = "OPENBLAS_CORETYPE"
  /// The cores that this program has started itself again for, the last one last.
  package static let triedVariable = "SID_OPENBLAS_TRIED"

  /// What the library says of itself.
  package let name: String
  /// Whether the library has more than one.
  package let isChosen: Bool
  /// Whether it multiplies two small matrices as it should.
  package let isRight: Bool

  /// The core of this process, tried with a small product.
  package init() {
    name = LinearAlgebra.coreName
    isChosen = String(cString: openblas_get_config()).contains("DYNAMIC_ARCH")
    isRight = Self.multipliesRight()
  }

  /// One that is described.
  package init(name: String, isChosen: Bool, isRight: Bool) {
    (self.name, self.isChosen, self.isRight) = (name, isChosen, isRight)
  }

  /// `wanted` of this process.
  public static func wanted() throws(Failure) -> [String: String] {
    try LinearAlgebraCore().wanted(ProcessInfo.processInfo.environment)
  }

  /// What has to stand in the environment of this program, started again, for OpenBLAS to compute as it should; nothing
  /// where it does already.
  ///
  /// A core that the environment names is left alone.
  /// - Throws: a `Failure` with status `unavailable` where the core that is named, or every core, computes wrongly.
  package func wanted(_ environment: [String: String]) throws(Failure) -> [String: String] {
    let tried = (environment[Self.triedVariable] ?? "").split(separator: ",").map(String.init)
    let named = environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
    if let named, named != tried.last {
      guard isRight else {
        throw Failure(
          .unavailable, Self.variable, "OpenBLAS's core \(name) multiplies wrongly on this processor",
          remedy: "leave the variable out")
      }
      return [:]
    }
    let isBest = isRight && !Self.lesser(than: Self.width).contains(name.lowercased())
    guard isChosen, !isBest else {
      if isRight { return [:] }
      throw Failure(
        .unavailable, "OpenBLAS", "its core \(name) multiplies wrongly on this processor",
        remedy: "install another build of OpenBLAS")
    }
    // What is wrong is no better than what has not been tried; what is right goes only for something wider.
    let next = Self.candidates.first { candidate in
      !tried.contains(candidate.name) && candidate.name.lowercased() != name.lowercased()
        && (!isRight || Self.lesser(than: candidate.width).contains(name.lowercased()))
    }
    if let next { return [Self.variable: next.name, Self.triedVariable: (tried + [next.name]).joined(separator: ",")] }
    guard isRight else {
      throw Failure(
        .unavailable, "OpenBLAS", "all its cores multiply wrongly on this processor (\(tried.joined(separator: ", ")))",
        remedy: "install another build of OpenBLAS")
    }
    return [:]
  }

  /// Registers of a processor that matter to the library, by their bits.
  package enum Width: Int, Comparable {
    case sse = 128, avx2 = 256, avx512 = 512
    package static func < (a: Width, b: Width) -> Bool { a.rawValue < b.rawValue }
  }

  /// The widest that this processor has.
  package static var width: Width {
    #if arch(x86_64)
      InstructionSet.v4.isSupported ? .avx512 : InstructionSet.v3.isSupported ? .avx2 : .sse
    #else
      .sse
    #endif
  }

  /// Cores that this processor can run, the best first, by the names of every build since 2018.
  package static var candidates: [(name: String, width: Width)] {
    #if arch(x86_64)
      let all: [(String, Width)] = [
        ("SkylakeX", .avx512), (InstructionSet.isAMD ? "Zen" : "Haswell", .avx2), ("Prescott", .sse),
      ]
      return all.filter { $0.1 <= width }
    #else
      return []
    #endif
  }

  /// Names of cores that use less than registers of a width. A name that is not among them is taken for a newer one.
  static func lesser(than width: Width) -> Set<String> {
    let sse: Set<String> = [
      "katmai", "coppermine", "northwood", "prescott", "banias", "core2", "penryn", "dunnington", "nehalem", "athlon",
      "opteron", "opteron_sse3", "barcelona", "bobcat", "atom", "nano", "sandybridge", "bulldozer", "piledriver",
      "steamroller",
    ]
    switch width {
    case .sse: return []
    case .avx2: return sse
    case .avx512: return sse.union(["haswell", "zen", "excavator"])
    }
  }

  /// A product and a symmetric one of small matrices of odd sizes, held against their definitions.
  private static func multipliesRight() -> Bool {
    _ = LinearAlgebra.isSingleThreaded
    let (rows, columns, depth) = (67, 45, 53)
    // Whole numbers, whose products are exact in any order.
    let a = (0..<rows * depth).map { Double(($0 * 7 + 3) % 23 - 11) }
    let b = (0..<depth * columns).map { Double(($0 * 5 + 1) % 19 - 9) }
    var product = [Double](repeating: 0, count: rows * columns)
    var square = [Double](repeating: 0, count: rows * rows)
    guard
      sid_openblas_multiply(Int32(rows), Int32(columns), Int32(depth), a, b, &product, &square) != 0
    else { return false }
    for row in 0..<rows {
      for column in 0..<columns {
        let sum = (0..<depth).reduce(0) { $0 + a[row * depth + $1] * b[$1 * columns + column] }
        if product[row * columns + column] != sum { return false }
      }
      for other in row..<rows {
        let sum = (0..<depth).reduce(0) { $0 + a[row * depth + $1] * a[other * depth + $1] }
        if square[row * rows + other] != sum { return false }
      }
    }
    return true
  }
}
