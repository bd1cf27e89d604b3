import Compute
import Diagnostics

/// A run of elements in a file that tensors are views of.
struct Storage: Sendable {
  /// PyTorch's name of it, unique in its archive.
  let key: String
  let type: ElementType
  /// Elements.
  let count: Int
  /// Where the elements stand; nil until the archive has been read to its table of storages.
  var bytes: ByteRange?
  /// CRC-32 of `bytes`, where the container has one.
  var checksum: UInt32?
}

/// A tensor that stays in its file until it is asked for.
struct StoredTensor: Sendable {
  let storage: Storage
  /// The first element, counted in elements of the storage.
  let offset: Int
  let shape: [Int]
  /// Distance in elements between neighbours along each axis.
  let strides: [Int]

  /// Elements of the tensor; checked against overflow when the tensor was made.
  var count: Int { shape.reduce(1, *) }

  /// Checks that a view stays inside its storage and has no more elements than it.
  ///
  /// So no size that a file merely claims is ever allocated.
  /// - Returns: what is wrong, or nil.
  static func fault(storageCount: Int, offset: Int, shape: [Int], strides: [Int]) -> String? {
    guard shape.count == strides.count, shape.count <= 16 else {
      return "has \(shape.count) axes and \(strides.count) strides"
    }
    guard offset >= 0, (shape + strides).allSatisfy({ $0 >= 0 }) else { return "has a negative extent or stride" }
    var count = 1
    var last = offset
    for extent in shape {
      let product = count.multipliedReportingOverflow(by: extent)
      guard !product.overflow else { return "has shape \(shape), whose product overflows" }
      count = product.partialValue
    }
    if count == 0 { return nil }
    for (extent, stride) in zip(shape, strides) {
      let reach = (extent - 1).multipliedReportingOverflow(by: stride)
      let sum = last.addingReportingOverflow(reach.partialValue)
      guard !reach.overflow, !sum.overflow else { return "has strides \(strides), which overflow" }
      last = sum.partialValue
    }
    guard last < storageCount, count <= storageCount else {
      return "has shape \(shape), strides \(strides) and offset \(offset) in a storage of \(storageCount) elements"
    }
    return nil
  }

  /// Whether the elements stand in row-major order without gaps.
  var isContiguous: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() {
      if extent != 1 && stride != expected { return false }
      expected *= extent
    }
    return true
  }

  /// The elements, widened to float32, in row-major order.
  func read(from file: CheckpointFile, name: String) throws -> Tensor {
    guard let bytes = storage.bytes else { throw file.refuse("tensor \(name) has no data") }
    if let checksum = storage.checksum { try file.verify(bytes, checksum: checksum, name: "storage \(storage.key)") }
    let count = count
    if count == 0 { return Tensor(shape: shape) }
    let width = storage.type.byteCount
    var result = Tensor(uninitialized: shape)
    guard isContiguous else {
      let gathered = try gather(from: file, start: bytes.start)
      result.withUnsafeMutableBufferPointer { target in
        for i in 0..<count { target[i] = gathered[i] }
      }
      return result
    }
    let range = ByteRange(start: bytes.start + offset * width, count: count * width)
    try result.withUnsafeMutableBufferPointer { target in
      guard let base = target.baseAddress else { return }
      if storage.type == .float32, UInt32(1).littleEndian == 1 {
        try file.read(into: UnsafeMutableRawBufferPointer(target), from: range.start)
        return
      }
      var done = 0
      try file.forEachBlock(of: range) { block in
        storage.type.widen(block, count: block.count / width, into: base + done)
        done += block.count / width
      }
    }
    return result
  }

  /// The elements of a transposed or otherwise strided view.
  private func gather(from file: CheckpointFile, start: Int) throws -> [Float] {
    let span = zip(shape, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 }
    let width = storage.type.byteCount
    let raw = try file.bytes(ByteRange(start: start + offset * width, count: span * width))
    var dense = [Float](repeating: 0, count: span)
    raw.withUnsafeBytes { source in
      dense.withUnsafeMutableBufferPointer { target in
        if let base = target.baseAddress { storage.type.widen(source, count: span, into: base) }
      }
    }
    var result: [Float] = []
    result.reserveCapacity(count)
    var index = [Int](repeating: 0, count: shape.count)
    var position = 0
    for _ in 0..<count {
      result.append(dense[position])
      for axis in shape.indices.reversed() {
        index[axis] += 1
        position += strides[axis]
        if index[axis] < shape[axis] { break }
        position -= index[axis] * strides[axis]
        index[axis] = 0
      }
    }
    return result
  }
}
