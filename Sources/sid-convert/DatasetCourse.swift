import Diagnostics
import Files
import Images
import OptionValues
import Records
import Stage

/// What became of the pictures of a data set in the making, and what is told of it.
struct DatasetCourse {
  /// The pictures that were converted, by their number in the source, and whether each is gray.
  private(set) var converted: [(index: Int, isGray: Bool)] = []
  private var side: Int?
  private var leftOutCount = 0
  /// The first of the pictures that were left out, with the reason.
  private var leftOut: [(name: ByteName, reason: String)] = []

  /// The most pictures that are listed on stderr and in the record.
  private static let (listedOnError, listedInRecord) = (20, 1000)

  /// - Parameter leftOut: what was known before the pictures were read.
  init(leftOut: [(name: ByteName, reason: String)]) {
    for (name, reason) in leftOut { leaveOut(name, reason) }
  }

  /// Takes down that a picture was converted.
  mutating func take(_ index: Int, _ shape: ImageShape) {
    converted.append((index, shape.channels == 1))
    side = shape.width
  }

  /// Takes down that a picture was not.
  mutating func leaveOut(_ name: ByteName, _ reason: String) {
    leftOutCount += 1
    if leftOut.count < Self.listedInRecord { leftOut.append((name, reason)) }
  }

  /// Refuses a picture that is no square of the size of those before it.
  /// - Throws: a `Failure` with status `usage`.
  func requireOneSize(_ shape: ImageShape, _ subject: String) throws {
    guard shape.width == shape.height, shape.width == side ?? shape.width, shape.width <= PictureSize.maximumSide else {
      let others = side.map { ", those before it \($0) x \($0)" } ?? ""
      throw Failure(
        .usage, "--resolution", "is not given, and \(subject) is \(shape.width) wide and \(shape.height) high\(others)",
        remedy: "give the side that the images are to have; only squares of one size have it themselves")
    }
  }

  /// The shape of all images.
  /// - Throws: a `Failure` with status `dataError` where there is none.
  func shape(of pictures: StoredPictures) throws -> ImageShape {
    guard let side else {
      let first = leftOut.first.map { "; \($0.name): \($0.reason)" } ?? ""
      throw Failure(.dataError, pictures.path, "none of its \(leftOutCount) pictures could be converted\(first)")
    }
    return ImageShape(height: side, width: side, channels: converted.allSatisfy(\.isGray) ? 1 : 3)
  }

  /// What the record says.
  func details(
    _ shape: ImageShape, _ pictures: StoredPictures, _ classes: (labels: [Int], folders: [ByteName])?,
    _ provenance: Provenance
  ) -> [String: JSONValue] {
    var details: [String: JSONValue] = [
      "images": .int(converted.count), "resolution": .int(shape.width), "channels": .int(shape.channels),
      "left_out_pictures": .int(leftOutCount),
      "left_out": .object(
        Dictionary(leftOut.map { ($0.name.description, .string($0.reason)) }) { first, _ in first }),
      "left_out_files": .object(pictures.leftOut.counts.mapValues { .int($0) }),
      "inputs": .object(
        provenance.inputs.mapValues { .object(["path": .string($0.path), "sha256": .string($0.sha256)]) }),
    ]
    if let classes {
      details["classes"] = .int((classes.labels.max() ?? 0) + 1)
      if !classes.folders.isEmpty {
        details["class_folders"] = .array(classes.folders.map { .string($0.description) })
      }
    }
    return details
  }

  /// Says it on stderr.
  func say(_ shape: ImageShape, _ pictures: StoredPictures, output: String, _ context: StageContext) {
    for (name, reason) in leftOut.prefix(Self.listedOnError) {
      context.note("left out: \(pictures.path)/\(name): \(reason)")
    }
    if leftOutCount > Self.listedOnError {
      let more = leftOutCount - Self.listedOnError
      context.note("left out: \(more) more, which \(StepRecord.path(of: output)) lists")
    }
    if let note = pictures.leftOut.note(pictures.path, count: pictures.names.count) { context.note(note) }
    if pictures.classes.outside > 0 {
      context.note(
        "\(pictures.path): \(pictures.classes.outside) pictures lie in no folder, so that there are no classes")
    }
    let kinds: String
    switch (pictures.classes.origin, pictures.classes.labels(of: converted.map(\.index))) {
    case (.folders, let classes?): kinds = "\(classes.folders.count) classes by folder"
    case (_, let classes?): kinds = "\(Set(classes.labels).count) classes by dataset.json"
    case (_, nil): kinds = "no classes"
    }
    context.note(
      "\(output): \(converted.count) image\(converted.count == 1 ? "" : "s") of \(shape), \(kinds); \(leftOutCount) picture\(leftOutCount == 1 ? "" : "s") left out"
    )
  }
}
