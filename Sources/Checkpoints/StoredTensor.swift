import Compute
import Diagnostics

/// A run of elements in a file that tensors are views of.
struct Storage: Sendable {
  /// PyTorch's name of it, unique in its archive.
  let key: String
  let type: ElementType
  /// Elements.
  let count: Int
  /// Where the elements stand; nil until the archive has been read to its table of storages, and where they are
  /// compressed.
  var bytes: ByteRange?
  /// The zip entry that holds them, whose checksum covers them.
  var entry: ZipDirectory.Entry?
  /// Bytes of a compressed entry's content before the first element.
  var entryOffset = 0
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

  /// Strides of a dense row-major tensor; nil where an extent is negative or the product, in bytes, overflows.
  static func rowMajorStrides(_ shape: [Int]) -> [Int]? {
    // From the front as well: an extent of zero at the end would hide an overflow from the loop below.
    var count = 1
    for extent in shape {
      let product = count.multipliedReportingOverflow(by: max(extent, 1))
      guard !product.overflow, product.partialValue <= Int.max / 16 else { return nil }
      count = product.partialValue
    }
    var strides: [Int] = []
    var stride = 1
    for extent in shape.reversed() {
      strides.append(stride)
      let product = stride.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !product.overflow, product.partialValue <= Int.max / 16 else { return nil }
      stride = product.partialValue
    }
    return strides.reversed()
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
    if let entry = storage.entry { try file.verify(entry) }
    if count == 0 { return Tensor(shape: shape) }
    let width = storage.type.byteCount
    guard let bytes = storage.bytes else {
      guard let entry = storage.entry else { throw file.refuse("tensor \(name) has no data") }
      let content = try Inflation.bytes(of: entry, in: file)
      return content.withUnsafeBytes { widened(UnsafeRawBufferPointer(rebasing: $0[storage.entryOffset...])) }
    }
    guard isContiguous else {
      let span = ByteRange(start: bytes.start, count: (offset + span) * width)
      return try file.bytes(span).withUnsafeBytes { widened($0) }
    }
    let range = ByteRange(start: bytes.start + offset * width, count: count * width)
    var result = Tensor(uninitialized: shape)
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

  /// Elements of the storage from the view's first to its last.
  private var span: Int { zip(shape, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 } }

  /// Calls `body` with the place in the storage of every element, in row-major order of the view.
  func forEachPosition(_ body: (Int) -> Void) {
    var index = [Int](repeating: 0, count: shape.count)
    var position = offset
    for _ in 0..<count {
      body(position)
      for axis in shape.indices.reversed() {
        index[axis] += 1
        position += strides[axis]
        if index[axis] < shape[axis] { break }
        position -= index[axis] * strides[axis]
        index[axis] = 0
      }
    }
  }

  /// The view of a storage that is in memory.
  private func widened(_ content: UnsafeRawBufferPointer) -> Tensor {
    let width = storage.type.byteCount
    var result = Tensor(uninitialized: shape)
    result.withUnsafeMutableBufferPointer { target in
      guard let base = target.baseAddress else { return }
      if isContiguous {
        let part = UnsafeRawBufferPointer(rebasing: content[(offset * width)...])
        return storage.type.widen(part, count: target.count, into: base)
      }
      var next = 0
      forEachPosition { position in
        let element = UnsafeRawBufferPointer(rebasing: content[(position * width)..<((position + 1) * width)])
        storage.type.widen(element, count: 1, into: base + next)
        next += 1
      }
    }
    return result
  }
}
