import Compute
import Diagnostics
import HDF5
import Models

/// How far a pass over images has come.
struct PassState {
  /// What is kept of each image.
  struct Layout {
    let featureCount: Int
    let keepsFeatures: Bool
    let scoreCount: Int?
    let keepsSegments: Bool
  }

  /// The next image that is read.
  var nextImage: Int
  private(set) var moments: FeatureMoments
  let features: RowFile<Float>?
  let scores: RowFile<Float>?
  let segments: RowFile<Double>?

  private static let format = HDF5Format("sid-moments", version: 2)
  /// What the names of the row files end in.
  static let rowNames = [".features", ".scores", ".segments"]

  /// Nothing done yet.
  init(scratch: String?, identity: String, nextImage: Int, layout: Layout) throws {
    self.nextImage = nextImage
    moments = FeatureMoments(featureCount: layout.featureCount, keepsSegments: layout.keepsSegments)
    (features, scores, segments) = try Self.rowFiles(scratch, identity, layout, rows: 0, segmentRows: 0)
  }

  /// Reads a saved state.
  /// - Throws: a `Failure` where it cannot be used: damaged, or of other work.
  init(contentsOf path: String, scratch: String, identity: String, layout: Layout) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    let root = file.root
    let size = layout.featureCount
    let pending = try root.dataset("pending")
    nextImage = try root.intAttribute("next_image")
    guard try root.stringAttribute("identity") == identity, pending.shape.count == 2, pending.shape[1] == size,
      pending.shape[0] < FeatureMoments.blockRows, nextImage >= 0
    else { throw Failure(.dataError, path, "the state of other work") }
    func sum(_ name: String) throws -> MomentSum {
      let (mean, scatter) = (try root.dataset(name + "_mean"), try root.dataset(name + "_scatter"))
      var sum = MomentSum(featureCount: size)
      sum.count = try root.intAttribute(name + "_count")
      guard mean.shape == [size], scatter.shape == [size, size], sum.count >= 0 else {
        throw Failure(.dataError, path, "the state of other work")
      }
      (sum.mean, sum.scatter) = (try mean.read(Double.self), try scatter.read(Double.self))
      return sum
    }
    moments = FeatureMoments(
      total: try sum("total"), segment: try sum("segment"), pending: try pending.read(Double.self),
      keepsSegments: layout.keepsSegments)
    (features, scores, segments) = try Self.rowFiles(
      scratch, identity, layout, rows: moments.count, segmentRows: try root.intAttribute("segments"))
  }

  private static func rowFiles(
    _ scratch: String?, _ identity: String, _ layout: Layout, rows: Int, segmentRows: Int
  ) throws -> (RowFile<Float>?, RowFile<Float>?, RowFile<Double>?) {
    func path(_ kind: Int) -> String? { scratch.map { $0 + rowNames[kind] } }
    return (
      layout.keepsFeatures
        ? try RowFile(path(0), width: layout.featureCount, identity: identity, keeping: rows) : nil,
      try layout.scoreCount.map { try RowFile(path(1), width: $0, identity: identity, keeping: rows) },
      layout.keepsSegments
        ? try RowFile(
          path(2), width: MomentSum.packedCount(featureCount: layout.featureCount), identity: identity,
          keeping: segmentRows) : nil
    )
  }

  /// Takes the results for the next images.
  mutating func add(_ outputs: FeatureOutputs, repetitions: [Int]?) throws {
    moments.add(outputs.features, repetitions: repetitions)
    if let features { try Self.append(outputs.features, repetitions, to: features) }
    if let scores, let values = outputs.scores { try Self.append(values, repetitions, to: scores) }
    try append(moments.takeSegments(last: false))
  }

  /// Closes the last segment.
  mutating func finish() throws { try append(moments.takeSegments(last: true)) }

  private func append(_ sums: [MomentSum]) throws {
    guard let segments else { return }
    for sum in sums { try sum.packed.withUnsafeBufferPointer { try segments.append($0) } }
  }

  private static func append(_ rows: Tensor, _ repetitions: [Int]?, to file: RowFile<Float>) throws {
    let values = rows.values
    guard let repetitions else { return try values.withUnsafeBufferPointer { try file.append($0) } }
    for (row, count) in repetitions.enumerated() {
      let line = Array(values[row * file.width..<(row + 1) * file.width])
      for _ in 0..<count { try line.withUnsafeBufferPointer { try file.append($0) } }
    }
  }

  /// Puts everything on the disk, the rows before the state that counts them.
  func save(to path: String, identity: String) throws {
    try features?.synchronize()
    try scores?.synchronize()
    try segments?.synchronize()
    try HDF5File.publish(path) { file in
      let root = file.root
      try root.setFormat(Self.format)
      try root.setAttribute("identity", identity)
      try root.setAttribute("next_image", nextImage)
      try root.setAttribute("segments", segments?.count ?? 0)
      let size = moments.featureCount
      for (name, sum) in [("total", moments.total), ("segment", moments.segment)] {
        try root.setAttribute(name + "_count", sum.count)
        try root.write(sum.mean, shape: [size], to: name + "_mean")
        try root.write(sum.scatter, shape: [size, size], to: name + "_scatter")
      }
      try root.write(moments.pending, shape: [moments.pending.count / size, size], to: "pending")
    }
  }
}
