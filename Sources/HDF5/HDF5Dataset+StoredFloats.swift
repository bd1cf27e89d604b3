import CHDF5
import Diagnostics
import Foundation

/// Elements of a data set that lie in the file as float32 lie in memory, one after the other.
///
/// They can be read without the library, and so by several threads at once.
public struct StoredFloats: @unchecked Sendable {
  /// How many there are.
  public let count: Int
  private let offset: Int
  private let name: String
  /// Keeps the descriptor open. Immutable, and only its path is looked at.
  private let file: HDF5File
  private let descriptor: Int32

  fileprivate init(count: Int, offset: Int, name: String, file: HDF5File, descriptor: Int32) {
    self.count = count
    self.offset = offset
    self.name = name
    self.file = file
    self.descriptor = descriptor
  }

  /// Reads some elements; from any thread.
  /// - Parameters:
  ///   - range: which of them.
  ///   - target: room for them.
  /// - Throws: a `Failure` naming the file where it cannot be read, or has become shorter.
  public func read(_ range: Range<Int>, into target: UnsafeMutablePointer<Float>) throws {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "elements \(range) of \(count)")
    let bytes = UnsafeMutableRawPointer(target)
    let start = offset + range.lowerBound * MemoryLayout<Float>.size
    let total = range.count * MemoryLayout<Float>.size
    var done = 0
    while done < total {
      let n = pread(descriptor, bytes + done, total - done, off_t(start + done))
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(file.path, "read") }
      guard n > 0 else {
        throw Failure(
          .dataError, file.path, "the file ends inside data set `\(name)`; it was whole when it was opened",
          remedy: "do not change files that are being read")
      }
      done += n
    }
  }
}

extension HDF5Dataset {
  /// Where the elements are, if they are float32 in the order of this machine, neither compressed nor cut into chunks, in
  /// a file opened for reading; else nil, and `read(_:)` is the way.
  public var storedFloats: StoredFloats? {
    Library.locked {
      guard file.isReadOnly, Int(littleEndian: 1) == 1, count > 0,
        let type = Handle(H5Dget_type(handle.id), release: H5Tclose), H5Tequal(type.id, sid_h5t_file_float()) > 0,
        let creation = Handle(H5Dget_create_plist(handle.id), release: H5Pclose),
        H5Pget_layout(creation.id) == H5D_CONTIGUOUS,
        let offset = Int(exactly: H5Dget_offset(handle.id)), let descriptor = file.descriptor
      else { return nil }
      return StoredFloats(count: count, offset: offset, name: name, file: file, descriptor: descriptor)
    }
  }
}
