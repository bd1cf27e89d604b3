import Compute
import Diagnostics

/// A state_dict as other programs load it: float32 tensors by name.
public struct StateDictionaryFile {
  /// The formats that can be written.
  public enum Format: String, Sendable, CaseIterable {
    /// Loaded by `safetensors.torch.load_file`.
    case safetensors
    /// Loaded by `torch.load`, with `weights_only=True` too.
    case torch

    /// The extension that such files have.
    public var fileExtension: String { self == .safetensors ? "safetensors" : "pt" }
  }

  /// Names and shapes, in the order in which they are written.
  public let entries: [(name: String, shape: [Int])]
  /// Texts beside the tensors, such as the network's configuration; read back as `Checkpoint.metadata`.
  public let metadata: [String: String]

  /// - Parameters:
  ///   - entries: names and shapes, in the order in which they are written.
  ///   - metadata: texts beside the tensors.
  public init(entries: [(name: String, shape: [Int])], metadata: [String: String]) {
    self.entries = entries
    self.metadata = metadata
  }

  /// Writes the file and publishes it complete.
  ///
  /// - Parameter tensor: gives the tensor of one entry, float32 in row-major order; asked for once each, in order.
  /// - Throws: what `tensor` throws; a `Failure` naming the file where it cannot be written.
  public func write(to path: String, format: Format, tensor: (Int) throws -> Tensor) throws {
    func checked(_ index: Int) throws -> Tensor {
      let result = try tensor(index)
      precondition(result.shape == entries[index].shape, "\(entries[index].name) has shape \(result.shape)")
      return result
    }
    try ByteSink.publish(path) { sink in
      switch format {
      case .safetensors: try Safetensors.write(self, to: sink, tensor: checked)
      case .torch: try TorchZipArchive.write(self, to: sink, tensor: checked)
      }
    }
  }
}

extension Safetensors {
  /// The header is padded with spaces, so that the data begin at a multiple of 8 bytes.
  static func write(_ file: StateDictionaryFile, to sink: ByteSink, tensor: (Int) throws -> Tensor) throws {
    var offset = 0
    var fields: [String] = []
    if !file.metadata.isEmpty {
      let texts = file.metadata.sorted { $0.key < $1.key }.map { "\($0.key.quotedJSON):\($0.value.quotedJSON)" }
      fields.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    for (name, shape) in file.entries {
      let end = offset + 4 * shape.reduce(1, *)
      let extents = shape.map(String.init).joined(separator: ",")
      fields.append("\(name.quotedJSON):{\"dtype\":\"F32\",\"shape\":[\(extents)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    header += Array(repeating: 0x20, count: (8 - header.count % 8) % 8)
    try sink.write(UInt64(header.count).littleEndianBytes)
    try sink.write(header)
    for index in file.entries.indices {
      try tensor(index).withUnsafeBufferPointer { try sink.write(UnsafeRawBufferPointer($0)) }
    }
  }
}

extension String {
  /// The text as a JSON string.
  fileprivate var quotedJSON: String {
    var result = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
