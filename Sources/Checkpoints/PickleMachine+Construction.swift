import Diagnostics

/// What the names of `PickleGlobal` stand for.
extension PickleMachine {
  /// REDUCE: a name applied to arguments.
  mutating func reduce(_ global: PickleGlobal, _ arguments: [PickleValue]) throws -> PickleValue {
    switch global {
    case .dictionaryType: return try dictionary(arguments)
    case .defaultDictionaryType: return try dictionary(Array(arguments.dropFirst()))
    case .setType: return try set(arguments)
    case .encode: return try encode(arguments)
    case .persistentObject: return try persistentObject(arguments)
    case .rebuildParameter:
      guard arguments.count >= 3 else { throw refuse("a parameter that holds no tensor") }
      switch arguments[0] {
      case .tensor, .opaque: return arguments[0]
      default: throw refuse("a parameter that holds no tensor")
      }
    case .rebuildTensor: return try tensor(arguments)
    case .rebuildFromType: return try tensorOfType(arguments)
    case .loadFromBytes: return try nestedStorage(arguments)
    case .numpyType: return try numpyType(arguments)
    case .numpyScalar: return try numpyScalar(arguments)
    case .size:
      guard arguments.count == 1, case .tuple = arguments[0] else { throw refuse("a torch.Size that is no tuple") }
      return arguments[0]
    case .device:
      guard case .text? = arguments.first else { throw refuse("a torch.device without a name") }
      return arguments[0]
    case .foreign(let name): return try foreign(name, arguments)
    case .storageType, .foreignStorageType, .moduleContainer:
      throw refuse("a class is called that is only named in checkpoints")
    }
  }

  /// NEWOBJ: an empty object of a class.
  mutating func newObject(_ global: PickleGlobal, _ arguments: [PickleValue]) throws -> PickleValue {
    if case .foreign(let name) = global { return try foreign(name, arguments) }
    guard arguments.isEmpty else { throw refuse("an object is made with arguments") }
    switch global {
    case .moduleContainer(let name):
      try count(1)
      document.objects.append(PickleObject(className: name))
      return .object(document.objects.count - 1)
    case .dictionaryType, .defaultDictionaryType: return .dictionary(try newDictionary())
    case .setType: return .set(try newSequence([]))
    default: throw refuse("an object is made of what is no class")
    }
  }

  /// BUILD: gives an object its state.
  mutating func build(_ target: PickleValue, _ state: PickleValue) throws {
    switch target {
    case .object(let index):
      guard case .dictionary(let attributes) = state, document.objects[index].state == nil else {
        throw refuse("the state of a \(document.objects[index].className) is not one dictionary")
      }
      document.objects[index].state = attributes
    case .dictionary, .opaque:
      // Attributes of a dictionary object, such as the version numbers that a state_dict carries; not content.
      break
    case .numberType(let type):
      guard case .tuple(let index) = state, document.sequences[index].count > 1,
        case .text(let order) = document.sequences[index][1]
      else { throw refuse("a numpy type without its byte order") }
      if order != "<" && order != "|" { document.numberTypes[type] = nil }
    default: throw refuse("a state is given to what has none")
    }
  }

  /// BINPERSID: a storage outside the pickle.
  mutating func persistent(_ id: PickleValue) throws -> PickleValue {
    guard case .tuple(let index) = id else { throw refuse("a persistent id that is no tuple") }
    let parts = document.sequences[index]
    // The old form names the class of a whole module so, with its source.
    if parts.count == 4, case .text("module") = parts[0], case .global = parts[1] { return parts[1] }
    if parts.count >= 5, case .global(.foreignStorageType(let type, let bytes)) = parts[1] {
      return try foreignStorage(type, elementBytes: bytes, key: parts[2], count: parts[4])
    }
    guard parts.count == 5 || parts.count == 6, case .text("storage") = parts[0],
      case .global(.storageType(let type)) = parts[1], case .text(let key) = parts[2], case .text = parts[3],
      case .integer(let count) = parts[4], count >= 0
    else { throw refuse("a persistent id that is not ('storage', class, key, device, count)") }
    if parts.count == 6 {
      guard case .none = parts[5] else { throw refuse("storage \(key) is a view of another storage") }
    }
    var storage = Storage(key: key, type: type, count: count)
    switch storages {
    case .nested: throw refuse("a persistent id in a file that has no storages of its own")
    case .following: break
    case .entries(let entries):
      guard let entry = entries["data/" + key] else { throw refuse("the archive has no entry data/\(key)") }
      let size = count.multipliedReportingOverflow(by: type.byteCount)
      guard !size.overflow, size.partialValue == entry.bytes.count else {
        throw refuse(
          "storage \(key) is declared with \(count) elements of \(type.byteCount) bytes; its entry has "
            + "\(entry.bytes.count) bytes"
        )
      }
      storage.bytes = entry.bytes
      storage.entry = entry
    }
    return .storage(try self.storage(storage))
  }

  private mutating func dictionary(_ arguments: [PickleValue]) throws -> PickleValue {
    let result = PickleValue.dictionary(try newDictionary())
    if arguments.isEmpty { return result }
    if arguments.count == 1, case .dictionary(let other) = arguments[0], case .dictionary(let index) = result {
      try count(document.dictionaries[other].keys.count)
      document.dictionaries[index] = document.dictionaries[other]
      return result
    }
    guard arguments.count == 1, case .list(let list) = arguments[0] else {
      throw refuse("a dictionary made of what is no list")
    }
    for pair in document.sequences[list] {
      guard let items = items(pair), items.count == 2 else { throw refuse("a dictionary made of what are no pairs") }
      try assign(items, to: result)
    }
    return result
  }

  private mutating func set(_ arguments: [PickleValue]) throws -> PickleValue {
    if arguments.isEmpty { return .set(try newSequence([])) }
    guard arguments.count == 1, case .list(let list) = arguments[0] else {
      throw refuse("a set made of what is no list")
    }
    return .set(try newSequence(document.sequences[list]))
  }

  private mutating func encode(_ arguments: [PickleValue]) throws -> PickleValue {
    guard arguments.count == 2, case .text(let text) = arguments[0], case .text("latin1") = arguments[1],
      text.utf8.count <= 128
    else { return try opaque("bytes") }
    let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
    guard bytes.count == text.unicodeScalars.count else { throw refuse("_codecs.encode of characters beyond Latin-1") }
    return .literalBytes(bytes)
  }

  private mutating func persistentObject(_ arguments: [PickleValue]) throws -> PickleValue {
    guard arguments.count == 1, let meta = document.dictionary(arguments[0]), case .text("class")? = meta["type"],
      case .text(let className)? = meta["class_name"]
    else { throw refuse("a persistent object without type and class_name") }
    guard case .dictionary(let state)? = meta["state"] else {
      throw refuse("the persistent object \(className) has no dictionary of attributes")
    }
    try count(1)
    document.objects.append(PickleObject(className: className, state: state))
    return .object(document.objects.count - 1)
  }

  private mutating func tensor(_ arguments: [PickleValue]) throws -> PickleValue {
    // Of numbers that are not read.
    if case .opaque(let index)? = arguments.first { return try opaque("tensor of a \(document.opaque[index])") }
    guard arguments.count >= 6, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
      let shape = integers(arguments[2]), let strides = integers(arguments[3])
    else { throw refuse("a tensor whose storage, offset, shape or strides are missing") }
    let count = document.storages[storage].count
    if let fault = StoredTensor.fault(storageCount: count, offset: offset, shape: shape, strides: strides) {
      throw refuse("a tensor \(fault)")
    }
    try self.count(1)
    document.tensors.append((storage, offset, shape, strides))
    return .tensor(document.tensors.count - 1)
  }

  /// A storage that was saved as an archive of its own inside bytes.
  private mutating func nestedStorage(_ arguments: [PickleValue]) throws -> PickleValue {
    guard case .nested = storages else { throw refuse("an archive inside an archive's own pickle") }
    guard arguments.count == 1, case .bytes(let range) = arguments[0] else {
      throw refuse("a nested archive that is no bytes")
    }
    if let known = nestedStorages[range.start] { return .storage(known) }
    let nested = try TorchLegacyArchive.read(cursor.file, range)
    if case .opaque(let index) = nested.root { return try opaque(nested.opaque[index]) }
    guard case .storage(let index) = nested.root else { throw refuse("a nested archive that is not one storage") }
    document.storages.append(nested.storages[index])
    nestedStorages[range.start] = document.storages.count - 1
    return .storage(document.storages.count - 1)
  }

  private mutating func numpyType(_ arguments: [PickleValue]) throws -> PickleValue {
    guard case .text(let name)? = arguments.first else { return try opaque("numpy.dtype") }
    try count(1)
    document.numberTypes.append(PickleValue.NumberType(rawValue: name))
    return .numberType(document.numberTypes.count - 1)
  }

  private mutating func numpyScalar(_ arguments: [PickleValue]) throws -> PickleValue {
    guard arguments.count == 2, case .numberType(let index) = arguments[0], let type = document.numberTypes[index]
    else { return try opaque("numpy scalar of a type that is not read") }
    let bytes: [UInt8]
    switch arguments[1] {
    case .bytes(let range) where range.count <= 8: bytes = try cursor.file.bytes(range)
    case .literalBytes(let literal): bytes = literal
    default: throw refuse("a numpy scalar without its bytes")
    }
    let width =
      switch type {
      case .f8, .i8: 8
      case .f4, .i4: 4
      case .u1, .b1: 1
      }
    guard bytes.count == width else { throw refuse("a numpy scalar \(type.rawValue) of \(bytes.count) bytes") }
    let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch type {
    case .f8: return .real(Double(bitPattern: bits))
    case .f4: return .real(Double(Float(bitPattern: UInt32(bits))))
    case .i8: return .integer(Int(Int64(bitPattern: bits)))
    case .i4: return .integer(Int(Int32(bitPattern: UInt32(bits))))
    case .u1: return .integer(Int(bits))
    case .b1: return .bool(bits != 0)
    }
  }

  private func items(_ value: PickleValue) -> [PickleValue]? {
    switch value {
    case .tuple(let index), .list(let index): document.sequences[index]
    default: nil
    }
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard let items = items(value), items.count <= 16 else { return nil }
    var result: [Int] = []
    for item in items {
      guard case .integer(let integer) = item else { return nil }
      result.append(integer)
    }
    return result
  }
}
