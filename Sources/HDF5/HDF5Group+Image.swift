import CHDF5
import Diagnostics

extension HDF5Group {
  /// Writes a picture that viewers of HDF5 files show (HDF5 Image and Palette Specification 1.2).
  ///
  /// - Parameters:
  ///   - pixels: bytes in row, column, channel order.
  ///   - shape: [height, width, channels], 1 channel for gray or 3 for RGB.
  ///   - name: of the data set, [height, width] for gray and [height, width, 3] for RGB.
  public func writeImage(_ pixels: [UInt8], shape: [Int], to name: String) throws {
    precondition(shape.count == 3 && (shape[2] == 1 || shape[2] == 3), "a picture of shape \(shape)")
    let isGray = shape[2] == 1
    let extents = isGray ? Array(shape.prefix(2)) : shape
    try write(pixels, shape: extents, to: name, storage: .chunked(rows: shape[0], checksum: true, deflate: 6))
    let dataset = try Library.locked {
      guard let handle = Handle(H5Dopen2(handle.id, name, 0), release: H5Dclose) else {
        throw failure("cannot open data set `\(path(of: name))`")
      }
      return try HDF5Dataset(file: file, name: path(of: name), handle: handle)
    }
    try dataset.write(fixedText: "IMAGE", attribute: "CLASS")
    try dataset.write(fixedText: "1.2", attribute: "IMAGE_VERSION")
    try dataset.write(fixedText: isGray ? "IMAGE_GRAYSCALE" : "IMAGE_TRUECOLOR", attribute: "IMAGE_SUBCLASS")
    if isGray {
      try dataset.write([UInt8(0)], attribute: "IMAGE_WHITE_IS_ZERO", isScalar: true)
    } else {
      try dataset.write(fixedText: "INTERLACE_PIXEL", attribute: "INTERLACE_MODE")
    }
    try dataset.write([UInt8(0), UInt8(255)], attribute: "IMAGE_MINMAXRANGE", isScalar: false)
  }
}

extension HDF5Object {
  /// Writes a text of fixed length, as the specification of images has them.
  fileprivate func write(fixedText text: String, attribute: String) throws {
    try Library.locked {
      guard let type = Handle(H5Tcopy(sid_h5t_c_string()), release: H5Tclose),
        H5Tset_size(type.id, text.utf8.count + 1) >= 0
      else { throw failure("cannot prepare attribute `\(attribute)`") }
      try text.utf8CString.withUnsafeBytes {
        try write(attribute, type: type.id, count: 1, isScalar: true, content: $0.baseAddress)
      }
    }
  }
}
