import Checkpoints
import Compute
import Diagnostics
import Foundation
import HDF5

/// The weights of Inception-v3 that the recorded features were made with: each number follows from its tensor's name.
public struct FormulaInception: TensorSource {
  private let shapes: [String: [Int]]
  /// Every entry of the state_dict, counters of training included.
  public let tensorNames: [String]

  /// Takes names and shapes from the recorded features.
  public init() throws {
    let text = try HDF5File.open(Fixtures.path(Self.fixture)).root.stringAttribute("state_dict_names_and_shapes")
    shapes = try JSONDecoder().decode([String: [Int]].self, from: Data(text.utf8))
    tensorNames = shapes.keys.sorted()
  }

  /// The recorded features.
  public static let fixture = "golden/fid/inception_features.h5"

  /// The shape of one entry.
  public func shape(of name: String) -> [Int]? { shapes[name] }

  /// FNV-1a of the name starts a splitmix64 stream, whose numbers are scaled by what they are for.
  public func tensor(_ name: String) throws -> Tensor {
    guard let shape = shapes[name] else { throw Failure(.dataError, name, "no such tensor") }
    let hash = "golden-public/\(name)".utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    let (factor, offset) = scale(name, shape)
    return Tensor(shape: shape) { target in
      for index in 0..<shape.reduce(1, *) {
        var z = hash &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        target[index] = Float(Double(z >> 40) * 0x1p-24 * factor + offset)
      }
    }
  }

  private func scale(_ name: String, _ shape: [Int]) -> (factor: Double, offset: Double) {
    if name.hasSuffix(".conv.weight") || name == "fc.weight" {
      let bound = (6 / Double(shape.dropFirst().reduce(1, *))).squareRoot()
      return (2 * bound, -bound)
    }
    if name.hasSuffix(".bn.weight") { return (0.2, 0.9) }
    if name.hasSuffix(".bn.running_var") { return (0.4, 0.8) }
    return name.hasSuffix("num_batches_tracked") ? (0, 1) : (0.2, -0.1)
  }
}

extension FormulaInception {
  /// Writes all entries as `torch.save` does, counters of training included.
  public func writeTorchArchive(_ path: String) throws {
    let file = StateDictionaryFile(entries: tensorNames.map { ($0, shape(of: $0) ?? []) }, metadata: [:])
    try file.write(to: path, format: .torch) { try tensor(tensorNames[$0]) }
  }
}

/// Writes tensors of zeros as `torch.save` does.
public func writeTorchArchive(_ entries: [(name: String, shape: [Int])], to path: String) throws {
  try StateDictionaryFile(entries: entries, metadata: [:]).write(to: path, format: .torch) {
    Tensor(shape: entries[$0].shape)
  }
}
