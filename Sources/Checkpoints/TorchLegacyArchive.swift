import Diagnostics

/// torch.save's old form: a magic number, a version, the writer's system, the object, the storage keys, then the data.
///
/// It is also the form of every storage inside an EDM pickle.
enum TorchLegacyArchive {
  /// The first pickle, protocol 2 with the integer 0x1950a86a20f9469cfc6c, byte for byte.
  static let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]

  /// Reads an archive that fills `range`.
  /// - Returns: the object's pickle, every storage with the place of its data.
  static func read(_ file: CheckpointFile, _ range: ByteRange) throws -> PickleDocument {
    var cursor = ByteCursor(file, range)
    guard range.count >= magic.count,
      try cursor.bytes(magic.count, limit: magic.count, what: "the magic number") == magic
    else {
      throw cursor.refuse("not an archive of torch.save's old form")
    }
    guard case .integer(1001) = try next(&cursor).root else {
      throw cursor.refuse("a torch.save version other than 1001")
    }
    let system = try next(&cursor)
    guard case .bool(true)? = system.dictionary(system.root)?["little_endian"] else {
      throw cursor.refuse("an archive that was not written little-endian")
    }
    var document = try next(&cursor)
    let keyDocument = try next(&cursor)
    guard case .list(let list) = keyDocument.root else { throw cursor.refuse("the storage keys are not a list") }

    var places: [String: Int] = [:]
    for (index, storage) in document.storages.enumerated() { places[storage.key] = index }
    for item in keyDocument.sequences[list] {
      if case .text(let key) = item, let foreign = document.foreignStorages.removeValue(forKey: key) {
        let size = foreign.count.multipliedReportingOverflow(by: foreign.elementBytes)
        guard try cursor.number(UInt64.self) == UInt64(foreign.count), !size.overflow else {
          throw cursor.refuse("storage \(key) is stored with another number of elements than it is declared with")
        }
        _ = try cursor.skip(size.partialValue, what: "storage \(key)")
        continue
      }
      guard case .text(let key) = item, let index = places.removeValue(forKey: key) else {
        throw cursor.refuse("the list of storages names one that the object has not, or one twice")
      }
      let storage = document.storages[index]
      let count = try cursor.number(UInt64.self)
      let size = storage.count.multipliedReportingOverflow(by: storage.type.byteCount)
      guard count == UInt64(storage.count), !size.overflow else {
        throw cursor.refuse("storage \(key) is declared with \(storage.count) elements and stored with \(count)")
      }
      document.storages[index].bytes = try cursor.skip(size.partialValue, what: "storage \(key)")
    }
    guard places.isEmpty, document.foreignStorages.isEmpty else {
      throw cursor.refuse("the data of \(places.count + document.foreignStorages.count) storages are missing")
    }
    guard cursor.remaining == 0 else { throw cursor.refuse("\(cursor.remaining) bytes follow the last storage") }
    return document
  }

  private static func next(_ cursor: inout ByteCursor) throws -> PickleDocument {
    var machine = PickleMachine(cursor, storages: .following)
    let document = try machine.run()
    cursor = machine.cursor
    return document
  }
}
