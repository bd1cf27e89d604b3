import CLinux
import Diagnostics
import Foundation

/// What kernels are built for: the levels of x86-64, or the one set of another architecture.
public enum InstructionSet: String, Sendable, CaseIterable {
  #if arch(x86_64)
    /// AVX2 and FMA.
    case v3 = "x86-64-v3"
    /// AVX-512: F, BW, CD, DQ and VL.
    case v4 = "x86-64-v4"
  #elseif arch(arm64)
    /// NEON.
    case arm64
  #else
    /// Whatever the compiler takes a vector for.
    case generic
  #endif

  /// The variable that forces a set, for tests and comparisons.
  public static let variable = "SID_KERNELS"

  /// What a processor needs for it.
  public var features: String {
    #if arch(x86_64)
      switch self {
      case .v3: "AVX2 and FMA"
      case .v4: "AVX-512 (F, BW, CD, DQ, VL)"
      }
    #else
      "nothing but the architecture"
    #endif
  }

  /// Whether this processor and its system have what it needs.
  public var isSupported: Bool {
    #if arch(x86_64)
      switch self {
      case .v3: sid_processor_supports_level(3) != 0
      case .v4: sid_processor_supports_level(4) != 0
      }
    #else
      true
    #endif
  }

  /// Whether AMD made the processor, whose x86-64 cores libraries tell from Intel's.
  public static var isAMD: Bool { sid_processor_is_amd() != 0 }

  /// The set that computes: the one that `SID_KERNELS` names, else the widest that the processor has.
  ///
  /// - Throws: a `Failure` with status `unavailable` where the processor has none of them, or not the one that is named;
  ///   `usage` where no set has the name.
  public static func chosen(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws(Failure)
    -> InstructionSet
  {
    guard let best = allCases.last(where: \.isSupported) else {
      throw Failure(
        .unavailable, "processor", "it lacks \(allCases[0].features), which every kernel needs",
        remedy: "use an \(allCases[0].rawValue) machine")
    }
    guard let name = environment[variable] else { return best }
    guard let named = InstructionSet(rawValue: name) else {
      throw Failure(
        .usage, variable, "no kernels are called \"\(name.prefix(100))\"",
        remedy: "leave it out or use \(allCases.map(\.rawValue).joined(separator: " or "))")
    }
    guard named.isSupported else {
      throw Failure(
        .unavailable, variable, "this processor lacks \(named.features), which \(name) needs",
        remedy: "leave it out or use \(best.rawValue)")
    }
    return named
  }
}
