import Archives
import Diagnostics
import Files
import Images
import Sampling

/// What a look at the training pictures of an archive's network finds: whether samples are copies of them.
struct TrainingLook: Sendable {
  /// A sample beside the training picture that is nearest to it.
  struct Pair: Sendable {
    let sample: ArchivedImage
    /// The training picture as it is nearest: with left and right exchanged or not.
    let picture: Picture
    /// Its name in the data set, and whether it is shown mirrored.
    let caption: String
    let distance: Double
    /// Whether the sample is as good as a copy.
    let isCopy: Bool
  }

  /// The data set's path.
  let path: String
  /// Which samples were compared.
  let samples: ImageChoice
  /// Which training pictures.
  let pictures: ImageChoice
  let check: MemorisingCheck
  let pairs: [Pair]

  static let mostPairs = 8
  /// The most training pictures that are compared, and their bytes.
  static let mostPictures = 50_000, picturesBytes = 256 << 20

  /// Which training pictures are compared.
  static func choice(of count: Int, size: Int) -> ImageChoice {
    ImageChoice(of: count, limit: max(2, min(mostPictures, picturesBytes / max(1, size))))
  }

  /// Compares the images of an archive with those of a data set.
  ///
  /// - Parameters:
  ///   - archive: the archive.
  ///   - dataset: a data set in EDM's layout.
  ///   - limit: the most samples that are compared.
  ///   - progressed: called on the way with the share that is done, 0 to 1; throwing ends the work.
  /// - Throws: a `Failure` where one of them cannot be read, or their images differ in shape; what `progressed` throws.
  init(archive: String, dataset path: String, limit: Int, progressed: (Double) throws -> Void) throws {
    let reader = try SampleReader(archive)
    let images = try ImageDataset(contentsOf: path).images
    let shape = reader.shape
    guard images.shape == shape else {
      throw Failure(
        .dataError, path, "its images are \(images.shape), those of \(archive) \(shape)",
        remedy: "give the data set that the network was trained on")
    }
    let samples = ArchiveLook.comparedImages(of: reader.count, size: shape.count, limit: limit)
    let pictures = Self.choice(of: images.count, size: shape.count)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(samples.count * shape.count)
    for range in samples.ranges { bytes += try reader.images(range) }
    let check = try MemorisingCheck(
      samples: bytes, shape: shape, pictureCount: pictures.count,
      share: Double(pictures.count) / Double(images.count), closest: Self.mostPairs,
      pictures: { numbers in
        var result: [UInt8] = []
        result.reserveCapacity(numbers.count * shape.count)
        for places in pictures.places(numbers) { result += try images.images(places) }
        return result
      }, progressed: progressed)
    let source = PictureSource(reader)
    pairs =
      try [1, 3].contains(shape.channels)
      ? check.closest.map { pair in
        let place = pictures.place(pair.picture)
        let pixels = try images.images(place..<place + 1)
        return Pair(
          sample: try source.image(samples.place(pair.sample)),
          picture: try Picture((pair.isMirrored ? shape.mirrored(pixels) : pixels)[...], shape: shape),
          caption: "\(images.names[place].lastComponent)" + (pair.isMirrored ? ", mirrored" : ""),
          distance: pair.distance,
          isCopy: pair.distance == 0 || pair.distance < check.threshold)
      } : []
    (self.path, self.samples, self.pictures, self.check) = (path, samples, pictures, check)
  }

  /// Bytes that it takes.
  /// - Throws: a `Failure` where one of the files cannot be read.
  static func memoryBytes(archive: SampleReader, dataset path: String, limit: Int) throws -> Int {
    let images = try ImageDataset(contentsOf: path).images
    let size = archive.shape.count
    return MemorisingCheck.memoryBytes(
      samples: ArchiveLook.comparedImages(of: archive.count, size: size, limit: limit).count,
      pictures: choice(of: images.count, size: size).count, size: size) + images.count * entryBytes
  }

  /// What the table of contents of a zip takes for each entry.
  private static let entryBytes = 512
}
