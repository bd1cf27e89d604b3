/// Pictures in formats that are not read. They are refused by name, never left out.
enum ForeignPicture {
  /// - Parameters:
  ///   - suffix: what stands behind the last dot of the name, in lower case.
  ///   - beginning: the first bytes of the file.
  /// - Returns: the format in words with its article; nil for what is no picture.
  static func kind(suffix: String, beginning: [UInt8]) -> String? {
    format(beginning) ?? suffixes[suffix]
  }

  private static let suffixes: [String: String] = {
    let kinds: [(String, [String])] = [
      ("a JPEG image", ["jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp"]), ("a GIF image", ["gif"]),
      ("a BMP image", ["bmp", "dib"]), ("a TIFF image", ["tif", "tiff"]), ("a WebP image", ["webp"]),
      ("a TGA image", ["tga", "targa", "icb", "vda", "vst"]), ("a HEIF image", ["heif", "heic", "hif"]),
      ("an AVIF image", ["avif"]), ("a JPEG XL image", ["jxl"]),
      ("a JPEG 2000 image", ["jp2", "j2k", "j2c", "jpc", "jpx", "jpf"]),
      ("an APNG or MNG image", ["apng", "mng", "jng"]),
      ("a QOI image", ["qoi"]), ("a Photoshop image", ["psd", "psb"]), ("a GIMP image", ["xcf"]),
      ("an OpenEXR image", ["exr"]), ("a Radiance image", ["hdr", "rgbe"]), ("an icon", ["ico", "cur", "icns"]),
      ("an SVG drawing", ["svg", "svgz"]), ("a PFM image", ["pfm"]), ("a PAM image", ["pam"]),
      ("a PCX image", ["pcx"]), ("an SGI image", ["sgi"]), ("an X11 image", ["xbm", "xpm"]), ("a DDS image", ["dds"]),
      ("a raw photograph", ["dng", "cr2", "cr3", "nef", "arw", "orf", "rw2"]),
    ]
    return Dictionary(kinds.flatMap { kind in kind.1.map { ($0, kind.0) } }) { first, _ in first }
  }()

  private static func format(_ bytes: [UInt8]) -> String? {
    let signatures: [([UInt8], String)] = [
      ([0xFF, 0xD8, 0xFF], "a JPEG image"), (Array("GIF87a".utf8), "a GIF image"),
      (Array("GIF89a".utf8), "a GIF image"),
      ([0x49, 0x49, 0x2A, 0], "a TIFF image"), ([0x4D, 0x4D, 0, 0x2A], "a TIFF image"),
      ([0x49, 0x49, 0x2B, 0], "a TIFF image"), ([0x4D, 0x4D, 0, 0x2B], "a TIFF image"),
      ([0xFF, 0x0A], "a JPEG XL image"), ([0, 0, 0, 0x0C] + Array("JXL ".utf8), "a JPEG XL image"),
      ([0, 0, 0, 0x0C] + Array("jP  ".utf8), "a JPEG 2000 image"), ([0xFF, 0x4F, 0xFF, 0x51], "a JPEG 2000 image"),
      ([0x8A] + Array("MNG".utf8), "an MNG image"), ([0x8B] + Array("JNG".utf8), "a JNG image"),
      (Array("8BPS".utf8), "a Photoshop image"), (Array("gimp xcf".utf8), "a GIMP image"),
      (Array("qoif".utf8), "a QOI image"), ([0x76, 0x2F, 0x31, 0x01], "an OpenEXR image"),
      (Array("#?RADIANCE".utf8), "a Radiance image"), (Array("PF\n".utf8), "a PFM image"),
      (Array("Pf\n".utf8), "a PFM image"), (Array("P7\n".utf8), "a PAM image"), (Array("DDS ".utf8), "a DDS image"),
    ]
    if let found = signatures.first(where: { bytes.starts(with: $0.0) }) { return found.1 }
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
