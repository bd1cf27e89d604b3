import Files

/// A data set as EDM's `dataset_tool.py` makes them: a stored zip of `00000/img00000000.png` and `dataset.json`, which
/// holds the labels as `[name, integer]`, or null.
public final class EDMDatasetSink: ImageSink {
  /// It holds PNG files.
  public static let takesPNG = true
  private let zip: StoredZip
  private let labels: DatasetLabels

  /// - Parameters:
  ///   - path: the zip; exists and is empty.
  ///   - hasLabels: whether every image has a class.
  public init(_ path: String, hasLabels: Bool) throws {
    zip = try StoredZip(path)
    labels = try DatasetLabels(besides: path, hasLabels: hasLabels)
  }

  /// Adds an image and its label.
  public func add(_ image: ExportedImage) throws {
    let number = padded(image.index, 8)
    let name = "\(number.prefix(number.count - 3))/img\(number).png"
    try zip.add(name, image.png)
    try labels.add(name, image.label)
  }

  /// Adds `dataset.json` and the directory.
  public func finish() throws {
    try zip.begin("dataset.json")
    try labels.forEachBlock { try zip.append($0) }
    try zip.end()
    try zip.finish()
  }
}

/// The text of a `dataset.json`, which grows with the images: on the disk, not in memory.
final class DatasetLabels {
  private let file: OutputFile
  private let hasLabels: Bool
  private var isFirst = true

  init(besides path: String, hasLabels: Bool) throws {
    file = try OutputFile(path + ".labels", isTemporary: true)
    self.hasLabels = hasLabels
    try file.write(Array((hasLabels ? "{\"labels\": [" : "{\"labels\": null").utf8))
  }

  func add(_ name: String, _ label: Int?) throws {
    guard hasLabels, let label else { return }
    try file.write(Array("\(isFirst ? "" : ", ")[\"\(name)\", \(label)]".utf8))
    isFirst = false
  }

  /// The whole text, in blocks.
  func forEachBlock(_ body: ([UInt8]) throws -> Void) throws {
    try file.write(Array((hasLabels ? "]}" : "}").utf8))
    try file.forEachBlock(body)
  }
}
