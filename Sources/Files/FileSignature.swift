/// What a file is by its first bytes: the one table of all that is known by them.
public struct FileSignature: Sendable, Equatable {
  /// What such a file is among images.
  public enum Category: Sendable {
    /// A picture.
    case picture
    /// An archive, or a table, that may hold images itself.
    case archive
    /// Anything else.
    case other
  }

  /// The kind in words, with its article: "a gzip-compressed file".
  public let kind: String
  /// What it is among images.
  public let category: Category
  /// What to do about a file that was taken for something else.
  public let remedy: String

  private init(_ kind: String, _ category: Category, _ remedy: String? = nil) {
    (self.kind, self.category) = (kind, category)
    self.remedy = remedy ?? "give the file that is expected here"
  }

  /// - Parameter beginning: the file's first bytes, `FileGuess.neededBytes` of them where it has so many.
  /// - Returns: nil where they are no signature that is known.
  public init?(_ beginning: [UInt8]) {
    if let row = Self.rows.first(where: { $0.matches(beginning) }) {
      self = row.signature
    } else if let picture = Self.structured(beginning) {
      self.init(picture, .picture)
    } else {
      return nil
    }
  }

  /// A signature's bytes, nil for any, and what it says.
  private struct Row: Sendable {
    let bytes: [UInt8?]
    let offset: Int
    let signature: FileSignature

    init(
      _ bytes: [UInt8?], _ kind: String, _ category: Category, _ remedy: String? = nil, at offset: Int = 0
    ) {
      (self.bytes, self.offset, signature) = (bytes, offset, FileSignature(kind, category, remedy))
    }

    init(_ text: String, _ kind: String, _ category: Category, _ remedy: String? = nil, at offset: Int = 0) {
      self.init(Array(text.utf8), kind, category, remedy, at: offset)
    }

    func matches(_ beginning: [UInt8]) -> Bool {
      let found = beginning.dropFirst(offset).prefix(bytes.count)
      return found.count == bytes.count && zip(bytes, found).allSatisfy { $0 == nil || $0 == $1 }
    }
  }

  private static let pickle = "a network is converted first: sid-convert"

  private static let rows: [Row] = [
    Row([0x1F, 0x8B], "a gzip-compressed file", .archive, "unpack it first: gunzip (tar archives: tar xzf)"),
    // Behind the level, 1 to 9, the first block, or the end of an empty file.
    Row([0x42, 0x5A, 0x68, nil, 0x31, 0x41], "a bzip2-compressed file", .archive, "unpack it first: bunzip2"),
    Row([0x42, 0x5A, 0x68, nil, 0x17, 0x72], "a bzip2-compressed file", .archive, "unpack it first: bunzip2"),
    Row([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz-compressed file", .archive, "unpack it first: unxz"),
    Row([0x28, 0xB5, 0x2F, 0xFD], "a zstd-compressed file", .archive, "unpack it first: unzstd"),
    Row([0x04, 0x22, 0x4D, 0x18], "an lz4-compressed file", .archive, "unpack it first: unlz4"),
    Row([0x1F, 0x9D], "a file of compress(1)", .archive, "unpack it first: uncompress"),
    Row([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive", .archive, "unpack it first"),
    Row("Rar!", "a RAR archive", .archive, "unpack it first"),
    Row([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "an HDF5 file", .archive),
    Row([0x50, 0x4B, 3, 4], "a zip archive", .archive), Row([0x50, 0x4B, 5, 6], "an empty zip archive", .archive),
    Row("ustar", "a tar archive", .archive, at: 257),
    Row("PAR1", "a Parquet table", .archive), Row("ARROW1", "an Arrow table", .archive),
    Row([0x89, 0x50, 0x4E, 0x47], "a PNG image", .picture), Row([0xFF, 0xD8, 0xFF], "a JPEG image", .picture),
    Row("GIF87a", "a GIF image", .picture), Row("GIF89a", "a GIF image", .picture),
    Row([0x49, 0x49, 0x2A, 0], "a TIFF image", .picture), Row([0x4D, 0x4D, 0, 0x2A], "a TIFF image", .picture),
    Row([0x49, 0x49, 0x2B, 0], "a TIFF image", .picture), Row([0x4D, 0x4D, 0, 0x2B], "a TIFF image", .picture),
    Row([0xFF, 0x0A], "a JPEG XL image", .picture), Row("JXL ", "a JPEG XL image", .picture, at: 4),
    Row("jP  ", "a JPEG 2000 image", .picture, at: 4), Row([0xFF, 0x4F, 0xFF, 0x51], "a JPEG 2000 image", .picture),
    Row([0x8A, 0x4D, 0x4E, 0x47], "an MNG image", .picture), Row([0x8B, 0x4A, 0x4E, 0x47], "a JNG image", .picture),
    Row("8BPS", "a Photoshop image", .picture), Row("gimp xcf", "a GIMP image", .picture),
    Row("qoif", "a QOI image", .picture), Row([0x76, 0x2F, 0x31, 0x01], "an OpenEXR image", .picture),
    Row("#?RADIANCE", "a Radiance image", .picture), Row("PF\n", "a PFM image", .picture),
    Row("Pf\n", "a PFM image", .picture), Row("P7\n", "a PAM image", .picture), Row("DDS ", "a DDS image", .picture),
    Row(
      "version https://git-lfs", "a Git LFS pointer, which stands for a file that was not fetched", .other,
      "fetch the file itself: git lfs pull"),
    Row([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "an array of numpy (npy)", .other), Row("%PDF", "a PDF document", .other),
    Row([0x80, 2], "a pickle of Python", .other, pickle), Row([0x80, 3], "a pickle of Python", .other, pickle),
    Row([0x80, 4], "a pickle of Python", .other, pickle), Row([0x80, 5], "a pickle of Python", .other, pickle),
  ]

  /// Pictures that more than some fixed bytes tell.
  private static func structured(_ bytes: [UInt8]) -> String? {
    if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) { return "a WebP image" }
    if bytes.dropFirst(4).starts(with: "ftyp".utf8), bytes.count >= 12 {
      let brand = String(decoding: bytes[8..<12], as: UTF8.self)
      if ["avif", "avis"].contains(brand) { return "an AVIF image" }
      if ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"].contains(brand) { return "a HEIF image" }
    }
    if isBitmap(bytes) { return "a BMP image" }
    let text = String(decoding: bytes.prefix(512), as: UTF8.self)
    let isDrawing = text.hasPrefix("<svg") || text.hasPrefix("<?xml") && text.contains("<svg")
    return isDrawing ? "an SVG drawing" : nil
  }

  /// "BM" begins words too: the reserved bytes and the size of the second header tell.
  private static func isBitmap(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 18 && bytes.starts(with: "BM".utf8) && bytes[6..<10].allSatisfy { $0 == 0 }
      && [12, 40, 52, 56, 64, 108, 124].contains(bytes[14]) && bytes[15..<18].allSatisfy { $0 == 0 }
  }
}
