import Archives
import Diagnostics
import Files
import Foundation
import Images
import Records
import Sampling

/// An image of an archive with what is known of it.
public struct ArchivedImage: Sendable {
  /// Its place in the archive.
  public let index: Int
  /// Its seed.
  public let seed: UInt64
  /// Its class, where there are classes.
  public let label: Int?
  let picture: Picture?

  /// For captions: "seed 17, class 3".
  var caption: String { label.map { "seed \(seed), class \($0)" } ?? "seed \(seed)" }
}

/// What a look at an archive of samples finds: a few images, a few of each class, and its nearest pairs.
public struct ArchiveLook: Sendable {
  /// Images of one class.
  struct ClassRow: Sendable {
    let label: Int
    let images: [ArchivedImage]
  }

  /// The archive's path.
  public let path: String
  /// The number of images.
  public let count: Int
  /// Height, width and channels.
  public let shape: ImageShape
  /// What it was made from.
  public let origin: Provenance?
  /// The first images.
  let first: [ArchivedImage]
  /// The first images of each class that is shown; none for an archive without classes.
  let classes: [ClassRow]
  /// The number of classes among the images that were looked at for them.
  let classCount: Int
  /// How many images were looked at for classes.
  let labelsRead: Int
  /// Which images were compared.
  let choice: ImageChoice?
  /// What comparing them found.
  public let duplicates: DuplicateCheck?
  /// The images of the nearest pairs, and of equal ones, by their places in the archive.
  let compared: [Int: ArchivedImage]

  static let imagesOfAClass = 10
  static let mostClasses = 20
  static let mostLabels = 100_000
  static let mostPairs = 8
  static let mostGroups = 6
  /// Bytes of images that are compared.
  static let comparedBytes = 256 << 20

  /// Looks at an archive.
  ///
  /// - Parameters:
  ///   - path: the archive.
  ///   - sheetImages: images of the contact sheet.
  ///   - duplicates: the most images that are compared with each other; 0 for none.
  ///   - progressed: called on the way with the share that is done, 0 to 1; throwing ends the work.
  /// - Throws: a `Failure` where the archive cannot be read, or what `progressed` throws.
  public init(
    _ path: String, sheetImages: Int, duplicates limit: Int, progressed: (Double) throws -> Void = { _ in }
  ) throws {
    let reader = try SampleReader(path)
    self.path = path
    count = reader.count
    shape = reader.shape
    origin = Provenance(json: reader.provenance)
    let source = PictureSource(reader)
    first = try source.images(0..<min(sheetImages, reader.count))
    let labels = try Self.classRows(reader)
    (classCount, labelsRead) = (labels.count, labels.read)
    classes = try labels.rows.map { label, places in
      ClassRow(label: label, images: try places.map { try source.image($0) })
    }
    guard limit >= 1 else {
      (choice, self.duplicates, compared) = (nil, nil, [:])
      return
    }
    let choice = Self.comparedImages(of: reader.count, size: reader.shape.count, limit: limit)
    var images: [UInt8] = []
    images.reserveCapacity(choice.count * reader.shape.count)
    for (number, range) in choice.ranges.enumerated() {
      images += try reader.images(range)
      try progressed(0.3 * Double(number + 1) / Double(choice.ranges.count))
    }
    let check = try DuplicateCheck(
      images: images, imageBytes: reader.shape.count, closest: Self.mostPairs,
      progressed: { try progressed(0.3 + 0.7 * Double($0) / Double($1)) })
    var compared: [Int: ArchivedImage] = [:]
    let shown = check.pairs.flatMap { [$0.first, $0.second] } + check.groups.prefix(Self.mostGroups).map { $0[0] }
    for index in shown {
      let place = choice.place(index)
      if compared[place] == nil { compared[place] = try source.image(place) }
    }
    // Equal images are named by their seeds; one picture does for all.
    for index in check.groups.prefix(Self.mostGroups).flatMap({ $0.dropFirst().prefix(4) }) {
      let place = choice.place(index)
      if compared[place] == nil { compared[place] = try source.image(place) }
    }
    (self.choice, self.duplicates, self.compared) = (choice, check, compared)
  }

  /// Which images are compared, with each other and with training pictures.
  /// - Parameters:
  ///   - count: of the archive.
  ///   - size: bytes of an image.
  ///   - limit: the most that are compared.
  static func comparedImages(of count: Int, size: Int, limit: Int) -> ImageChoice {
    ImageChoice(of: count, limit: min(limit, max(2, comparedBytes / max(1, size))))
  }

  /// The places of the first images of each class, of as many classes as are shown.
  private static func classRows(_ reader: SampleReader) throws -> (rows: [(Int, [Int])], count: Int, read: Int) {
    guard reader.hasLabels else { return ([], 0, 0) }
    let read = min(reader.count, mostLabels)
    var places: [Int: [Int]] = [:]
    for (index, label) in (try reader.labels(0..<read) ?? []).enumerated() {
      if places[label, default: []].count < imagesOfAClass { places[label, default: []].append(index) }
    }
    let labels = places.keys.sorted()
    let step = max(1, Double(labels.count) / Double(mostClasses))
    let shown = (0..<min(labels.count, mostClasses)).map { labels[Int(Double($0) * step)] }
    return (shown.map { ($0, places[$0] ?? []) }, labels.count, read)
  }

  /// Two images of one class for each strip of images between them, as many as there are: of different classes where there
  /// are classes.
  public func seedPairs(_ limit: Int) -> [(from: ArchivedImage, to: ArchivedImage)] {
    let groups = classes.isEmpty ? stride(from: 0, to: first.count - 1, by: 2).map { Array(first[$0...($0 + 1)]) } : []
    let rows = groups + classes.map(\.images)
    let pairs = rows.compactMap { images in images.count >= 2 ? (from: images[0], to: images[1]) : nil }
    let step = max(1, Double(pairs.count) / Double(max(limit, 1)))
    return (0..<min(limit, pairs.count)).map { pairs[Int(Double($0) * step)] }
  }
}

/// Reads images of an archive as pictures.
struct PictureSource {
  let reader: SampleReader

  init(_ reader: SampleReader) { self.reader = reader }

  func image(_ index: Int) throws -> ArchivedImage { try images(index..<index + 1)[0] }

  func images(_ range: Range<Int>) throws -> [ArchivedImage] {
    guard !range.isEmpty else { return [] }
    let bytes = try reader.images(range)
    let seeds = try reader.seeds(range)
    let labels = try reader.labels(range)
    let size = reader.shape.count
    guard bytes.count == range.count * size, seeds.count == range.count, labels?.count ?? range.count == range.count
    else { throw Failure(.dataError, reader.path, "images \(range) are not all there") }
    return try range.indices.map { index in
      let place = index - range.lowerBound
      // Images of other channels than gray and RGB have no picture.
      let picture =
        [1, 3].contains(reader.shape.channels)
        ? try Picture(bytes[place * size..<(place + 1) * size], shape: reader.shape) : nil
      return ArchivedImage(index: index, seed: seeds[place], label: labels?[place], picture: picture)
    }
  }
}
