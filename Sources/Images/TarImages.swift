import Diagnostics

/// The PNG images of a tar archive, in the order in which they lie in it; other entries (classes, texts) do not count.
public final class TarImages: ImageSource {
  /// The archive.
  public let path: String
  /// The number of images.
  public let count: Int
  /// Height, width and channels of every image.
  public let shape: ImageShape
  /// The next image; an archive is read forward only.
  private var reader: (position: Int, archive: ArchiveReader)?

  /// Reads the archive's headers and the first image's shape.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no intact tar of PNG images.
  public init(_ path: String) throws {
    let archive = try ArchiveReader(path, format: .tar)
    var count = 0
    var shape: ImageShape?
    while let entry = try archive.next() {
      guard ImageDataset.isImage(entry.name) else { continue }
      guard entry.name.lowercased().hasSuffix(".png") else {
        throw Failure(
          .dataError, path, "image \(entry.name) is no PNG file", remedy: "make the archive again with PNG images")
      }
      if shape == nil {
        let content = try archive.content(of: entry, maximumBytes: ImageDataset.maximumImageBytes)
        shape = try PNGDecoder.shape(of: content, subject: "\(path)/\(entry.name)")
      }
      count += 1
    }
    guard let shape else { throw Failure(.dataError, path, "no PNG image in the tar archive") }
    (self.path, self.count, self.shape) = (path, count, shape)
  }

  /// Whether a file begins like a tar archive: with a header of the format `ustar`.
  /// - Parameter beginning: its first bytes, 512 of them where it has so many.
  public static func matches(_ beginning: [UInt8]) -> Bool {
    beginning.count >= 512 && beginning[257..<262].elementsEqual("ustar".utf8)
  }

  /// Reads images.
  /// - Throws: a `Failure` naming the image that is damaged or has another shape than the first.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    if range.isEmpty { return [] }
    let archive = try archive(at: range.lowerBound)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(range.count * shape.count)
    for _ in range {
      guard let entry = try nextImage(archive) else { throw changed() }
      let subject = "\(path)/\(entry.name)"
      let content = try archive.content(of: entry, maximumBytes: ImageDataset.maximumImageBytes)
      let image = try PNGDecoder.decode(content, subject: subject)
      guard image.shape == shape else {
        throw Failure(.dataError, subject, "the image has \(image.shape), the first one has \(shape)")
      }
      pixels += image.pixels
    }
    reader = (range.upperBound, archive)
    return pixels
  }

  private func archive(at position: Int) throws -> ArchiveReader {
    if let reader, reader.position == position { return reader.archive }
    let archive = try ArchiveReader(path, format: .tar)
    for _ in 0..<position { guard try nextImage(archive) != nil else { throw changed() } }
    return archive
  }

  private func nextImage(_ archive: ArchiveReader) throws -> ArchiveReader.Entry? {
    while let entry = try archive.next() {
      if ImageDataset.isImage(entry.name) { return entry }
    }
    return nil
  }

  private func changed() -> Failure { Failure(.ioError, path, "the file changed while it was read") }
}
