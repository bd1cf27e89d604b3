import CHDF5
import Diagnostics
import Files
import Foundation

/// An HDF5 file that is open: an existing one for reading, or a new one being written.
///
/// Existing files are not trusted. The structure of files such as this package writes is checked before libhdf5 sees it;
/// older ones are read by a child process first, which a file that makes libhdf5 crash ends in place of this one. Links
/// that leave the file, external storage, filters beyond the common ones, and data sets that declare more than the file
/// can hold are refused when they are opened, each with a `Failure` of status `dataError`. A virtual data set may take its
/// rows from files in the same folder, which are opened with the same care.
///
/// Use one file from one thread at a time; several files on several threads take turns inside the library.
public final class HDF5File {
  /// The path it was opened under; the final name for a file being written.
  public let path: String
  /// The size in bytes when it was opened; nil for a file being written.
  let sizeBytes: Int?
  /// Serves as the root group too.
  private let handle: Handle

  private init(path: String, handle: Handle, sizeBytes: Int?) {
    self.path = path
    self.handle = handle
    self.sizeBytes = sizeBytes
  }

  /// Opens a file for reading.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no intact HDF5 file.
  public static func open(_ path: String) throws -> HDF5File {
    // The library says of one that it may not open that it is no HDF5 file, and waits for a pipe.
    let sizeBytes = try InputFile(path, expected: "an HDF5 file").size
    return try Library.locked {
      guard H5Fis_hdf5(path) > 0 else { throw FileGuess.refuse(path, expected: "an HDF5 file") }
      if try !StructureCheck.run(path) { try FileTrial.run(path) }
      let access = try accessProperties(path, closing: H5F_CLOSE_WEAK)
      guard let handle = Handle(H5Fopen(path, sid_h5f_read_only(), access.id), release: H5Fclose) else {
        throw Library.failure(.dataError, path, "damaged or truncated HDF5 file")
      }
      return HDF5File(path: path, handle: handle, sizeBytes: sizeBytes)
    }
  }

  /// Writes a file and publishes it: it appears under `path` complete, or not at all.
  ///
  /// - Parameters:
  ///   - path: the final name; the content goes to `PATH.partial` until it is complete.
  ///   - completing: is shown the complete content at `PATH.partial` before it takes its name, for a digest of it.
  ///   - body: writes the content. The file and everything opened from it are closed when it returns.
  /// - Returns: what `body` returns.
  /// - Throws: what `body` and `completing` throw; a `Failure` where the file cannot be written.
  public static func publish<Result>(
    _ path: String, completing: (_ partialPath: String) throws -> Void = { _ in },
    _ body: (HDF5File) throws -> Result
  ) throws -> Result {
    try AtomicFile.publish(path) { partial in
      let file = try create(partial, finalPath: path)
      do {
        let result = try body(file)
        try file.close()
        try completing(partial)
        return result
      } catch {
        try? file.close()
        throw error
      }
    }
  }

  /// The root group.
  public var root: HDF5Group { HDF5Group(file: self, name: "", handle: handle) }

  var isReadOnly: Bool { sizeBytes != nil }

  /// The descriptor under the library, open as long as this file. Call with the library locked.
  var descriptor: Int32? {
    var address: UnsafeMutableRawPointer?
    guard H5Fget_vfd_handle(handle.id, 0, &address) >= 0, let address else { return nil }
    return address.load(as: Int32.self)
  }

  private static func create(_ partial: String, finalPath: String) throws -> HDF5File {
    try Library.locked {
      // Closing the file closes what was opened from it, so that nothing is left to be written after the rename.
      let access = try accessProperties(finalPath, closing: H5F_CLOSE_STRONG)
      guard let creation = Handle(H5Pcreate(sid_h5p_file_create()), release: H5Pclose),
        H5Pset_link_creation_order(creation.id, sid_h5p_creation_order()) >= 0,
        // No time stamps: the same content gives the same bytes.
        H5Pset_obj_track_times(creation.id, false) >= 0
      else { throw Library.failure(.software, finalPath, "cannot prepare the file") }
      let id = H5Fcreate(partial, sid_h5f_truncate(), creation.id, access.id)
      guard let handle = Handle(id, release: H5Fclose) else {
        throw Library.failure(.ioError, finalPath, "cannot create the file")
      }
      return HDF5File(path: finalPath, handle: handle, sizeBytes: nil)
    }
  }

  private static func accessProperties(_ path: String, closing degree: H5F_close_degree_t) throws -> Handle {
    guard let access = Handle(H5Pcreate(sid_h5p_file_access()), release: H5Pclose),
      H5Pset_fapl_sec2(access.id) >= 0,
      H5Pset_fclose_degree(access.id, degree) >= 0,
      // Version 1.8 objects: attributes may be large, metadata carry checksums.
      H5Pset_libver_bounds(access.id, H5F_LIBVER_V18, H5F_LIBVER_V110) >= 0,
      // The library's lock would collide with the one AtomicFile holds on the same file.
      H5Pset_file_locking(access.id, false, true) >= 0
    else { throw Library.failure(.software, path, "cannot prepare the file access") }
    return access
  }

  /// Writes what the library still holds in memory, and closes the file.
  private func close() throws {
    try Library.locked {
      guard handle.release() >= 0 else { throw Library.failure(.ioError, path, "cannot write the file") }
    }
  }
}
