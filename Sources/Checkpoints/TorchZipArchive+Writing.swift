import Compute

/// A state_dict in torch.save's zip form: an ordered dictionary of tensors with a storage each.
extension TorchZipArchive {
  static func write(_ file: StateDictionaryFile, to sink: ByteSink, tensor: (Int) throws -> Tensor) throws {
    var archive = ZipWriter(sink: sink, folder: "archive/")
    try archive.add("data.pkl", pickle(file.entries))
    try archive.add("byteorder", Array("little".utf8))
    for (name, text) in file.metadata.sorted(by: { $0.key < $1.key }) {
      try archive.add(metadataFolder + name, Array(text.utf8))
    }
    for index in file.entries.indices {
      try tensor(index).withUnsafeBufferPointer { try archive.add("data/\(index)", UnsafeRawBufferPointer($0)) }
    }
    try archive.add("version", Array("3\n".utf8))
    try archive.finish()
  }

  /// The object's pickle, protocol 2: storage `data/N` belongs to entry N.
  private static func pickle(_ entries: [(name: String, shape: [Int])]) -> [UInt8] {
    var pickle = PickleWriter()
    pickle.global("collections", "OrderedDict")
    pickle.opcodes(")R(")
    for (index, entry) in entries.enumerated() {
      let strides = StoredTensor.rowMajorStrides(entry.shape) ?? []
      pickle.text(entry.name)
      pickle.global("torch._utils", "_rebuild_tensor_v2")
      pickle.opcodes("((")
      pickle.text("storage")
      pickle.global("torch", "FloatStorage")
      pickle.text("\(index)")
      pickle.text("cpu")
      pickle.integer(entry.shape.reduce(1, *))
      pickle.opcodes("tQ")
      pickle.integer(0)
      pickle.integers(entry.shape)
      pickle.integers(strides)
      pickle.opcodes([0x89])
      pickle.global("collections", "OrderedDict")
      pickle.opcodes(")RtR")
    }
    pickle.opcodes("u.")
    return pickle.bytes
  }
}

/// Writes the few opcodes of a state_dict.
private struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func opcodes(_ text: String) { bytes += Array(text.utf8) }

  mutating func opcodes(_ codes: [UInt8]) { bytes += codes }

  mutating func global(_ module: String, _ name: String) { opcodes("c\(module)\n\(name)\n") }

  mutating func text(_ text: String) {
    bytes.append(UInt8(ascii: "X"))
    bytes += UInt32(text.utf8.count).littleEndianBytes
    bytes += Array(text.utf8)
  }

  mutating func integer(_ value: Int) {
    if let small = UInt8(exactly: value) {
      bytes += [UInt8(ascii: "K"), small]
    } else if let medium = Int32(exactly: value) {
      bytes.append(UInt8(ascii: "J"))
      bytes += medium.littleEndianBytes
    } else {
      bytes += [0x8A, 8] + value.littleEndianBytes
    }
  }

  mutating func integers(_ values: [Int]) {
    opcodes("(")
    for value in values { integer(value) }
    opcodes("t")
  }
}
