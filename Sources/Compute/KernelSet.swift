import Diagnostics
import KernelInterface
import Kernels
import Processor
import Records
import Synchronization

#if arch(x86_64)
  import KernelsV4
#endif

/// The kernels of this process; where a `WorkCount` is under way, those that only count.
@inline(__always) var kernels: KernelTable {
  (WorkCount.active == nil ? KernelSet.computing : KernelSet.counting).table
}

/// How convolutions are computed.
public typealias KernelMode = Records.KernelMode

/// Which kernels compute: results are bit-identical within one set and agree to tolerance across sets.
public enum KernelSet {
  private static let standard = Atomic<Int>(0)
  @TaskLocal private static var override: KernelMode?

  /// How convolutions are computed now.
  public static var mode: KernelMode {
    override ?? KernelMode.allCases[standard.load(ordering: .relaxed)]
  }

  /// Sets the mode of this process.
  public static func use(_ mode: KernelMode) {
    standard.store(KernelMode.allCases.firstIndex(of: mode) ?? 0, ordering: .relaxed)
  }

  /// Runs `body`, and what it calls, in another mode.
  public static func with<R>(_ mode: KernelMode, _ body: () throws -> R) rethrows -> R {
    try $override.withValue(mode, operation: body)
  }

  /// The kernels that compute: of the set that `InstructionSet.chosen` names when the process first asks.
  ///
  /// - Precondition: the processor has a set, and the environment names none that it lacks; stage programs look first.
  package static let table: KernelTable = {
    do throws(Failure) {
      return table(of: try InstructionSet.chosen())
    } catch {
      preconditionFailure("\(error)")
    }
  }()

  /// A table in one place, of which a caller reads the one field that it needs.
  final class Place: Sendable {
    let table: KernelTable
    init(_ table: KernelTable) { self.table = table }
  }
  static let computing = Place(table)
  static let counting = Place(.counting(table))

  /// The kernels of a set that the processor has.
  package static func table(of set: InstructionSet) -> KernelTable {
    #if arch(x86_64)
      set == .v4 ? KernelsV4.kernelTable : Kernels.kernelTable
    #else
      Kernels.kernelTable
    #endif
  }

  /// The instruction set of the kernels.
  public static var instructionSet: String { table.instructionSet }

  /// For example "x86-64-v3 fast".
  public static var name: String { "\(instructionSet) \(mode.rawValue)" }
}
