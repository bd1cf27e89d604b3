import Checkpoints
import Diagnostics
import Files
import Images

/// The images of an npz: an array of bytes `arr_0`, [N, H, W, C]. Other arrays, of labels or names, are left out.
final class NumpyImages: ImageSource {
  let count: Int
  let shape: ImageShape
  let leftOut: LeftOut
  private let rows: NumpyRows

  /// - Throws: a `Failure` where the file has no such array.
  init(_ path: String) throws {
    let file = try NumpyFile(path)
    guard file.names.contains("arr_0") else {
      throw Self.refusal(path, names: file.names, expected: "the images `arr_0`")
    }
    let extents = try file.requiredShape(of: "arr_0")
    guard extents.count == 4, !extents.dropFirst().contains(0), extents.dropFirst().allSatisfy({ $0 <= 1 << 16 }) else {
      throw Failure(.dataError, path, "`arr_0` of shape \(extents); bytes of shape [N, H, W, C] are expected")
    }
    rows = try NumpyRows(file, name: "arr_0")
    var leftOut = LeftOut()
    for name in file.names where name != "arr_0" {
      guard file.elementType(of: name) != .uint8 || file.shape(of: name)?.count != 4 else {
        throw Failure(
          .dataError, path, "images in `arr_0` and in `\(name)`: which are meant is not clear",
          remedy: "save one array of images as arr_0")
      }
      leftOut.add(ByteName(name + ".npy"), reason: "array beside the images")
    }
    self.leftOut = leftOut
    count = extents[0]
    shape = ImageShape(height: extents[1], width: extents[2], channels: extents[3])
  }

  func images(_ range: Range<Int>) throws -> [UInt8] { try rows.rows(range) }

  /// The failure of an npz that lacks what is expected, with the names that are there.
  static func refusal(_ path: String, names: [String], expected: String) -> Failure {
    let shown = names.prefix(8).map { "`\($0.oneLine)`" }.joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
    return Failure(
      .dataError, path, "an npz of \(shown); \(expected) are expected",
      remedy: "save images as bytes [N, H, W, C] under that name: np.savez(FILE, arr_0=images)")
  }
}
