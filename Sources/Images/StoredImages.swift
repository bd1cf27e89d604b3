import Diagnostics
import Files

/// The images of a folder, a zip or a tar archive: every picture that is read, in PNG or a format of netpbm.
///
/// Every entry counts as something: an image is read, a picture in another format, an archive beside images and a link to
/// what is not there are refused by name, and all else is left out and counted. Links inside an archive stand for what they
/// lead to. Images come in the order of their paths' bytes, those of a tar archive in the order in which they lie in it.
public final class StoredImages: ImageSource {
  /// The file or folder.
  public let path: String
  /// The paths of the images inside it, in their order.
  public let names: [ByteName]
  /// Height, width and channels of every image.
  public let shape: ImageShape
  /// What was left out.
  public let leftOut: LeftOut
  /// Where the content of each image is found.
  private let files: [(name: ByteName, place: Int)]
  private let container: any ImageContainer

  /// The largest file of an image, in bytes.
  static let maximumImageBytes = 1 << 26

  /// The number of images.
  public var count: Int { names.count }

  /// The images of a zip archive.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no intact archive of images.
  public convenience init(zip path: String) throws { try self.init(ZipContainer(path)) }

  /// The images of a tar archive.
  /// - Throws: as for a zip archive.
  public convenience init(tar path: String) throws { try self.init(TarContainer(path)) }

  convenience init(_ container: some ImageContainer) throws {
    try self.init(container, EntryCensus(container, .dataset))
  }

  private init(_ container: any ImageContainer, _ census: EntryCensus) throws {
    if let archive = census.archives.first {
      throw Failure(
        .dataError, container.subject(archive.name),
        census.images.isEmpty
          ? "\(archive.kind) inside a \(container.word); images are expected there"
          : "\(archive.kind) beside images: which of the two are meant is not clear",
        remedy: "give it by itself, or take it out")
    }
    var images = census.images
    guard !images.isEmpty else {
      throw Failure(
        .dataError, container.path,
        "no PNG image in the \(container.word)"
          + (census.leftOut.count > 0 ? "; it holds \(census.leftOut)" : ""))
    }
    if container.isSorted {
      images.sort { $0.name < $1.name }
      if let twice = zip(images, images.dropFirst()).first(where: { $0.name == $1.name }) {
        throw Failure(.dataError, container.path, "two entries are named \(twice.0.name)")
      }
    }
    (path, self.container, leftOut) = (container.path, container, census.leftOut)
    names = images.map(\.name)
    files = images.map(\.file)
    let first = images[0]
    let content = try container.content(of: first.file, maximumBytes: Self.maximumImageBytes)
    shape = try ImageDecoder.shape(of: content, subject: container.subject(first.name))
  }

  /// What was left out, as a line for the user; nil where nothing was.
  public var note: String? { leftOut.note(path, count: count) }

  /// Whether a file begins like a tar archive.
  /// - Parameter beginning: its first bytes, 512 of them where it has so many.
  public static func isTar(_ beginning: [UInt8]) -> Bool { TarReader.matches(beginning) }

  /// Whether a file begins like a picture of any format.
  /// - Parameter beginning: its first bytes, 512 of them where it has so many.
  public static func isPicture(_ beginning: [UInt8]) -> Bool {
    PictureRules.dataset.reads(beginning) || ForeignPicture.kind(suffix: "", beginning: beginning) != nil
  }

  /// Reads images.
  /// - Throws: a `Failure` naming the image that is damaged or has another shape than the first.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    var pixels: [UInt8] = []
    pixels.reserveCapacity(range.count * shape.count)
    for index in range {
      let subject = container.subject(names[index])
      let content = try container.content(of: files[index], maximumBytes: Self.maximumImageBytes)
      let image = try ImageDecoder.decode(content, subject: subject)
      guard image.shape == shape else {
        throw Failure(.dataError, subject, "the image has \(image.shape), the first one has \(shape)")
      }
      pixels += image.pixels
    }
    return pixels
  }
}

extension StoredImages {
  /// A folder, flat or nested, of which everything has been looked at. Links in it are refused: what they lead to may
  /// change, or lie elsewhere.
  public struct Folder {
    private let container: FolderContainer
    private let census: EntryCensus

    /// - Throws: a `Failure`: `noInput` where the folder cannot be listed, `dataError` naming a picture in a format that is
    ///   not read or what is neither file nor folder.
    public init(_ path: String) throws {
      container = FolderContainer(path)
      census = try EntryCensus(container, .dataset)
    }

    /// How many files are images.
    public var imageCount: Int { census.images.count }
    /// The paths inside it of what may hold images itself.
    public var archives: [ByteName] { census.archives.map(\.name) }
    /// What is neither.
    public var leftOut: LeftOut { census.leftOut }

    /// The images, one file each.
    /// - Throws: a `Failure` with status `dataError` where there are none, or archives beside them.
    public func images() throws -> StoredImages { try StoredImages(container, census) }
  }
}
