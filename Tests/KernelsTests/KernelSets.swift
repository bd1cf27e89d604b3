import Compute
import KernelInterface
import KernelsWide
import Processor
import Testing

/// The kernels of a set, by name.
struct KernelSetCase: CustomTestStringConvertible, Sendable {
  let table: KernelTable
  let testDescription: String

  /// Every set that this processor can run, and the widest vectors in narrow registers.
  static let all =
    InstructionSet.allCases.filter(\.isSupported).map {
      KernelSetCase(table: KernelSet.table(of: $0), testDescription: $0.rawValue)
    } + [KernelSetCase(table: KernelsWide.kernelTable, testDescription: "16 lanes without AVX-512")]
}

/// Memory of a test, with numbers around it that nothing may touch.
final class Floats {
  private let memory: UnsafeMutablePointer<Float>
  let count: Int
  private let margin = 64
  private static let guardNumber: Float = -1234.5

  init(_ values: [Float]) {
    count = values.count
    memory = .allocate(capacity: count + 2 * margin)
    memory.initialize(repeating: Self.guardNumber, count: count + 2 * margin)
    for (place, value) in values.enumerated() { memory[margin + place] = value }
  }

  /// Numbers that every kernel has to overwrite where it writes at all.
  convenience init(count: Int) { self.init([Float](repeating: .nan, count: count)) }

  /// Reproducible normals.
  convenience init(random count: Int, _ stream: UInt64) {
    self.init(Philox(seed: 5).normals(count, stream: (stream, 3)))
  }

  deinit { memory.deallocate() }

  var target: Target { memory + margin }
  var source: Source { UnsafePointer(memory + margin) }
  var values: [Float] { Array(UnsafeBufferPointer(start: source, count: count)) }

  /// Whether everything around it is as it was.
  var isIntact: Bool {
    (0..<margin).allSatisfy { memory[$0] == Self.guardNumber && memory[margin + count + $0] == Self.guardNumber }
  }
}

extension [Float] {
  /// Bits, so that what is no number equals itself.
  var bits: [UInt32] { map(\.bitPattern) }
}
