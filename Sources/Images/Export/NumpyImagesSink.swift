import Files

/// A sample batch as ADM's evaluator reads them: an npz with `arr_0`, uint8 [N, H, W, C], and, where images have classes,
/// `arr_1`, int64 [N].
public final class NumpyImagesSink: ImageSink {
  /// It holds pixels.
  public static let takesPNG = false
  private let zip: StoredZip
  private let count: Int
  /// The classes until the images are complete.
  private let labels: OutputFile?

  /// - Parameters:
  ///   - path: the npz; exists and is empty.
  ///   - count: how many images will come.
  ///   - shape: of each.
  ///   - hasLabels: whether every image has a class.
  public init(_ path: String, count: Int, shape: ImageShape, hasLabels: Bool) throws {
    zip = try StoredZip(path)
    self.count = count
    labels = hasLabels ? try OutputFile(path + ".labels", isTemporary: true) : nil
    try zip.begin("arr_0.npy")
    try zip.append(Self.header("|u1", [count, shape.height, shape.width, shape.channels]))
  }

  /// Appends an image and its class.
  public func add(_ image: ExportedImage) throws {
    try zip.append(Array(image.pixels))
    try labels?.write(withUnsafeBytes(of: Int64(image.label ?? 0).littleEndian) { Array($0) })
  }

  /// Adds the classes and the directory.
  public func finish() throws {
    try zip.end()
    if let labels {
      try zip.begin("arr_1.npy")
      try zip.append(Self.header("<i8", [count]))
      try labels.forEachBlock { try zip.append($0) }
      try zip.end()
    }
    try zip.finish()
  }

  /// What stands before the numbers of an npy file, version 1.0, filled up to a multiple of 64 bytes.
  private static func header(_ type: String, _ shape: [Int]) -> [UInt8] {
    let extents = shape.map { "\($0)," }.joined(separator: " ")
    let text = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }"
    let length = (10 + text.utf8.count + 1 + 63) / 64 * 64 - 10
    let spaces = String(repeating: " ", count: length - text.utf8.count - 1)
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
      + Array((text + spaces + "\n").utf8)
  }
}
