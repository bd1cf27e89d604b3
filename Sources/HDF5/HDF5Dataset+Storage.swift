import CHDF5
import Diagnostics

extension HDF5Dataset {
  /// Refuses a data set whose content is elsewhere, or which declares more elements than the file can hold.
  ///
  /// Whoever reads it allocates what it declares, so that the declaration has to be backed by bytes first. Call with
  /// the library locked.
  func checkStorage() throws {
    guard let fileBytes = file.sizeBytes else { return }
    guard let creation = Handle(H5Dget_create_plist(handle.id), release: H5Pclose) else {
      throw failure("cannot read how data set `\(name)` is stored")
    }
    let layout = H5Pget_layout(creation.id)
    guard H5Pget_external_count(creation.id) <= 0, layout != H5D_VIRTUAL else {
      throw Failure(
        .dataError, file.path, "data set `\(name)` is stored in other files, which are not opened",
        remedy: "store its elements in this file")
    }
    let declared = try declaredBytes()
    if declared == 0 { return }
    let stored = Int(clamping: H5Dget_storage_size(handle.id))
    switch layout {
    case H5D_COMPACT:
      guard stored >= declared else { throw tooLarge(declared, stored) }
    case H5D_CONTIGUOUS:
      let offset = H5Dget_offset(handle.id)
      guard stored >= declared, offset != sid_haddr_undefined(), let start = Int(exactly: offset),
        start <= fileBytes, declared <= fileBytes - start
      else { throw tooLarge(declared, stored) }
    case H5D_CHUNKED:
      try checkChunks(creation, declared: declared, stored: min(stored, fileBytes))
    default:
      throw Failure(.dataError, file.path, "data set `\(name)` is stored in an unknown way")
    }
  }

  private func checkChunks(_ creation: Handle, declared: Int, stored: Int) throws {
    var isCompressed = false
    for index in 0..<max(0, H5Pget_nfilters(creation.id)) {
      var flags: UInt32 = 0
      var valueCount = 0
      var configuration: UInt32 = 0
      let filter = H5Pget_filter2(creation.id, UInt32(index), &flags, &valueCount, nil, 0, nil, &configuration)
      switch filter {
      case H5Z_FILTER_DEFLATE: isCompressed = true
      case H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32: break
      default:
        throw Failure(
          .dataError, file.path, "data set `\(name)` uses filter \(filter); deflate, shuffle and fletcher32 are known",
          remedy: "write it without that filter")
      }
    }
    // 1032 to 1 is the most that deflate can reach.
    let (largest, overflow) = stored.multipliedReportingOverflow(by: isCompressed ? 1032 : 1)
    guard overflow || declared <= largest else { throw tooLarge(declared, stored) }
    var chunk = [hsize_t](repeating: 0, count: max(1, shape.count))
    guard H5Pget_chunk(creation.id, Int32(chunk.count), &chunk) == Int32(shape.count) else {
      throw failure("cannot read the chunks of data set `\(name)`")
    }
    // A chunk is held in memory as a whole.
    let chunkBytes = chunk.reduce(Double(elementBytes)) { $0 * Double($1) }
    guard chunkBytes <= max(Double(declared), 64 * 1024 * 1024) else {
      throw Failure(.dataError, file.path, "data set `\(name)` has chunks of \(chunk), its shape is \(shape)")
    }
  }

  private func declaredBytes() throws -> Int {
    var bytes = elementBytes
    guard bytes > 0 else { throw failure("cannot read the type of data set `\(name)`") }
    if shape.contains(0) { return 0 }
    for extent in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw Failure(.dataError, file.path, "data set `\(name)` declares the impossible shape \(shape)")
      }
      bytes = product
    }
    return bytes
  }

  private var elementBytes: Int {
    guard let type = Handle(H5Dget_type(handle.id), release: H5Tclose) else { return 0 }
    return H5Tget_size(type.id)
  }

  private func tooLarge(_ declared: Int, _ stored: Int) -> Failure {
    Failure(
      .dataError, file.path,
      "data set `\(name)` declares the shape \(shape), \(declared) bytes, but the file holds \(stored) bytes of it",
      remedy: "the file is damaged or was not finished; make it again")
  }
}
