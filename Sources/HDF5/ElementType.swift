import CHDF5

/// Classifies the library's types.
enum ElementType {
  /// The kind of a type, which is closed. Call with the library locked.
  static func of(_ id: hid_t) -> HDF5ElementType {
    guard let type = Handle(id, release: H5Tclose) else { return .other }
    let bytes = H5Tget_size(type.id)
    switch H5Tget_class(type.id) {
    case H5T_FLOAT where bytes <= 16: return .floatingPoint(bytes: bytes)
    case H5T_INTEGER where bytes <= 8:
      return H5Tget_sign(type.id) == H5T_SGN_NONE ? .unsignedInteger(bytes: bytes) : .signedInteger(bytes: bytes)
    case H5T_STRING: return .string
    default: return .other
    }
  }
}

/// Strings of fixed or variable length on their way out of the library.
enum StringBuffer {
  /// Reads strings with `transfer`, which gets the type in memory and the place to fill.
  ///
  /// Call with the library locked.
  /// - Parameters:
  ///   - count: the number of strings, of the type `type` and in the data space `space`.
  ///   - limitBytes: the most that fixed-length strings may occupy; nil for no limit.
  /// - Returns: nil where they are no strings or cannot be read.
  static func read(
    type: Handle, space: Handle, count: Int, limitBytes: Int?,
    transfer: (hid_t, UnsafeMutableRawPointer) -> herr_t
  ) -> [String]? {
    guard H5Tget_class(type.id) == H5T_STRING,
      let memory = Handle(H5Tcopy(sid_h5t_c_string()), release: H5Tclose),
      H5Tset_cset(memory.id, H5Tget_cset(type.id)) >= 0
    else { return nil }
    if count == 0 { return [] }
    if H5Tis_variable_str(type.id) > 0 {
      guard H5Tset_size(memory.id, sid_h5t_variable()) >= 0 else { return nil }
      var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
      return pointers.withUnsafeMutableBytes { bytes -> [String]? in
        guard let base = bytes.baseAddress, transfer(memory.id, base) >= 0 else { return nil }
        let strings = bytes.bindMemory(to: UnsafeMutablePointer<CChar>?.self).map {
          $0.map { String(cString: $0) } ?? ""
        }
        H5Dvlen_reclaim(memory.id, space.id, 0, base)
        return strings
      }
    }
    let width = H5Tget_size(type.id)
    let (total, overflow) = width.multipliedReportingOverflow(by: count)
    guard width > 0, !overflow, total <= limitBytes ?? Int.max else { return nil }
    // Padded with zeros to the file's width, whatever the padding there, so that no terminator is lost.
    guard H5Tset_size(memory.id, width) >= 0, H5Tset_strpad(memory.id, H5Tget_strpad(type.id)) >= 0 else { return nil }
    let isSpacePadded = H5Tget_strpad(type.id) == H5T_STR_SPACEPAD
    var bytes = [UInt8](repeating: 0, count: total)
    guard bytes.withUnsafeMutableBytes({ $0.baseAddress.map { transfer(memory.id, $0) } ?? -1 }) >= 0 else {
      return nil
    }
    return stride(from: 0, to: total, by: width).map { start in
      var text = bytes[start..<start + width].prefix { $0 != 0 }
      if isSpacePadded { while text.last == 0x20 { text.removeLast() } }
      return String(decoding: text, as: UTF8.self)
    }
  }
}
