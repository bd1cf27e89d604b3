import CHDF5
import Diagnostics

/// A group of an HDF5 file: a folder of groups and data sets.
public struct HDF5Group: HDF5Object {
  /// Where it is.
  public let location: HDF5Location

  init(file: HDF5File, name: String, handle: Handle) {
    location = HDF5Location(file: file, name: name, handle: handle)
  }

  /// The names of what it holds: in the order of creation where the file recorded it, else sorted.
  public var names: [String] {
    Library.locked {
      var flags: UInt32 = 0
      if let group = Handle(H5Gopen2(handle.id, ".", 0), release: H5Gclose),
        let creation = Handle(H5Gget_create_plist(group.id), release: H5Pclose)
      {
        H5Pget_link_creation_order(creation.id, &flags)
      }
      let isTracked = flags & sid_h5p_creation_order_tracked() != 0
      var names: [String] = []
      _ = withUnsafeMutablePointer(to: &names) { names in
        H5Literate(
          handle.id, isTracked ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME, H5_ITER_INC, nil,
          { _, name, _, context in
            guard let name, let context else { return -1 }
            context.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name))
            return 0
          }, names)
      }
      return names
    }
  }

  /// Whether it holds a group or data set of this name, which may be a path (`a/b`).
  public func contains(_ name: String) -> Bool {
    Library.locked { (try? checkLinks(name)) != nil }
  }

  /// Opens a group inside it; `name` may be a path.
  public func group(_ name: String) throws -> HDF5Group {
    try Library.locked {
      try checkLinks(name)
      try check(name, isOf: H5O_TYPE_GROUP, "group")
      guard let handle = Handle(H5Gopen2(handle.id, name, 0), release: H5Gclose) else {
        throw failure("cannot open group `\(path(of: name))`")
      }
      return HDF5Group(file: file, name: path(of: name), handle: handle)
    }
  }

  /// Creates a group that remembers the order in which its members are created.
  public func createGroup(_ name: String) throws -> HDF5Group {
    try Library.locked {
      guard let creation = Handle(H5Pcreate(sid_h5p_group_create()), release: H5Pclose),
        H5Pset_link_creation_order(creation.id, sid_h5p_creation_order()) >= 0,
        H5Pset_obj_track_times(creation.id, false) >= 0,
        let group = Handle(H5Gcreate2(handle.id, name, 0, creation.id, 0), release: H5Gclose)
      else { throw failure("cannot create group `\(path(of: name))`") }
      return HDF5Group(file: file, name: path(of: name), handle: group)
    }
  }

  /// Opens a data set inside it; `name` may be a path.
  /// - Throws: a `Failure` with status `dataError` where there is none, or where the file declares more than it holds.
  public func dataset(_ name: String) throws -> HDF5Dataset {
    try Library.locked {
      try checkLinks(name)
      try check(name, isOf: H5O_TYPE_DATASET, "data set")
      guard let handle = Handle(H5Dopen2(handle.id, name, 0), release: H5Dclose) else {
        throw failure("cannot open data set `\(path(of: name))`")
      }
      return try HDF5Dataset(file: file, name: path(of: name), handle: handle)
    }
  }

  /// Creates a data set and writes all its elements.
  /// - Parameters:
  ///   - values: as many as `shape` holds, row-major.
  ///   - shape: the extent of each axis, outermost first; empty for a scalar.
  public func write<T: HDF5Scalar>(
    _ values: [T], shape: [Int], to name: String, storage: HDF5Storage = .contiguous
  ) throws {
    try values.withUnsafeBufferPointer { try write($0, shape: shape, to: name, storage: storage) }
  }

  /// The same from memory that is no array; nothing is copied.
  public func write<T: HDF5Scalar>(
    _ values: UnsafeBufferPointer<T>, shape: [Int], to name: String, storage: HDF5Storage = .contiguous
  ) throws {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    let dataset = try createDataset(name, of: T.self, shape: shape, storage: storage)
    try dataset.writeAll(values)
  }

  /// Creates a data set, to be filled by rows.
  /// - Parameters:
  ///   - name: without slashes, unless the groups on the way exist.
  ///   - shape: the extent of each axis, outermost first.
  public func createDataset<T: HDF5Scalar>(
    _ name: String, of type: T.Type, shape: [Int], storage: HDF5Storage = .contiguous
  ) throws -> HDF5Dataset {
    precondition(shape.allSatisfy { $0 >= 0 }, "negative extent in \(shape)")
    return try Library.locked {
      let extents = shape.map { hsize_t($0) }
      guard let space = Handle(H5Screate_simple(Int32(extents.count), extents, nil), release: H5Sclose),
        let creation = Handle(H5Pcreate(sid_h5p_dataset_create()), release: H5Pclose),
        H5Pset_obj_track_times(creation.id, false) >= 0
      else { throw failure("cannot prepare data set `\(path(of: name))` of shape \(shape)") }
      try set(storage, of: creation, shape: shape, elementBytes: MemoryLayout<T>.size, name: name)
      let id = H5Dcreate2(handle.id, name, T.kind.fileType, space.id, 0, creation.id, 0)
      guard let dataset = Handle(id, release: H5Dclose) else {
        throw failure("cannot create data set `\(path(of: name))`")
      }
      return try HDF5Dataset(file: file, name: path(of: name), handle: dataset)
    }
  }

  /// The path inside the file of one of its members.
  func path(of member: String) -> String { name.isEmpty ? member : "\(name)/\(member)" }

  private func set(
    _ storage: HDF5Storage, of creation: Handle, shape: [Int], elementBytes: Int, name: String
  ) throws {
    guard case .chunked(let rows, let checksum, let deflate) = storage, !shape.contains(0) else { return }
    precondition(!shape.isEmpty && rows > 0, "chunks of \(rows) rows for shape \(shape)")
    let chunk = [min(rows, shape[0])] + shape.dropFirst()
    precondition(chunk.reduce(elementBytes, *) < 1 << 32, "a chunk of shape \(chunk) exceeds HDF5's 4 GiB")
    var isSet = H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map { hsize_t($0) }) >= 0
    if let deflate { isSet = isSet && H5Pset_deflate(creation.id, UInt32(deflate)) >= 0 }
    // Last, so that the sum covers the bytes as they lie on the disk.
    if checksum { isSet = isSet && H5Pset_fletcher32(creation.id) >= 0 }
    guard isSet else { throw failure("cannot prepare data set `\(path(of: name))`") }
  }

  /// Refuses a path with a link that could leave the file; only hard links cannot.
  private func checkLinks(_ member: String) throws {
    var prefix = ""
    for component in member.split(separator: "/", omittingEmptySubsequences: false) {
      guard !component.isEmpty, component != "." else { throw missing(member) }
      prefix += (prefix.isEmpty ? "" : "/") + component
      guard H5Lexists(handle.id, prefix, 0) > 0 else { throw missing(member) }
      var link = H5L_info_t()
      guard H5Lget_info(handle.id, prefix, &link, 0) >= 0 else {
        throw failure("cannot read the link `\(path(of: prefix))`")
      }
      guard link.type == H5L_TYPE_HARD else {
        throw Failure(
          .dataError, file.path, "`\(path(of: prefix))` is a soft or external link, which are not followed",
          remedy: "store a copy of what it points to")
      }
    }
  }

  private func missing(_ member: String) -> Failure {
    Failure(.dataError, file.path, "there is no `\(path(of: member))`")
  }

  private func check(_ member: String, isOf type: H5O_type_t, _ noun: String) throws {
    var info = H5O_info_t()
    guard H5Oget_info_by_name(handle.id, member, &info, 0) >= 0 else {
      throw failure("cannot read `\(path(of: member))`")
    }
    guard info.type == type else {
      throw Failure(.dataError, file.path, "`\(path(of: member))` is not a \(noun), as expected")
    }
  }
}
