import Files

/// Pictures in formats that are not read. They are refused by name, never left out.
enum ForeignPicture {
  /// - Parameters:
  ///   - suffix: what stands behind the last dot of the name, in lower case.
  ///   - beginning: the first bytes of the file.
  /// - Returns: the format in words with its article; nil for what is no picture.
  static func kind(suffix: String, beginning: [UInt8]) -> String? {
    // The beginning of a PNG's signature is for the decoder to refuse.
    let isPNG = beginning.starts(with: PNGDecoder.signature.prefix(4))
    if !isPNG, let signature = FileSignature(beginning), signature.category == .picture { return signature.kind }
    return suffixes[suffix]
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
}
