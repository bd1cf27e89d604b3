/// A value of a pickle.
///
/// Flat: containers are numbers of entries in the document's arrays. So a container that stands in several places is
/// one, as in Python, a container may hold itself, and no nesting however deep can exhaust the call stack when a
/// document is built or released.
package enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case text(String)
  /// Bytes that stay in the file.
  case bytes(ByteRange)
  /// Bytes that protocol 2 wrote as text.
  case literalBytes([UInt8])
  /// An index into `PickleDocument.sequences`.
  case list(Int), tuple(Int), set(Int)
  /// An index into `PickleDocument.dictionaries`.
  case dictionary(Int)
  /// An index into `PickleDocument.objects`.
  case object(Int)
  /// An index into `PickleDocument.storages`.
  case storage(Int)
  /// An index into `PickleDocument.tensors`.
  case tensor(Int)
  /// A numpy type; an index into `PickleDocument.numberTypes`.
  case numberType(Int)
  /// A name that only makes sense as the head of a construction.
  case global(PickleGlobal)
  /// What this reader does not make: an index into `PickleDocument.opaque`, where it is said what it is.
  case opaque(Int)

  /// A numpy scalar's format.
  package enum NumberType: String, Sendable {
    case f8, f4, i8, i4, u1, b1
  }
}

/// A dictionary of a pickle, in the order of insertion.
struct PickleDictionary: Sendable {
  enum Key: Hashable, Sendable {
    case text(String)
    case integer(Int)
    /// A key of another type, numbered as it comes: its value can only be passed over.
    case other(Int)
  }

  private(set) var keys: [Key] = []
  private(set) var values: [PickleValue] = []
  private var places: [Key: Int] = [:]

  /// Sets a value; a key that is there keeps its place.
  mutating func set(_ key: Key, _ value: PickleValue) {
    if let place = places[key] {
      values[place] = value
    } else {
      places[key] = keys.count
      keys.append(key)
      values.append(value)
    }
  }

  /// Adds a value under a key that is neither text nor integer.
  mutating func add(_ value: PickleValue) { set(.other(keys.count), value) }

  subscript(_ name: String) -> PickleValue? { places[.text(name)].map { values[$0] } }
  subscript(_ number: Int) -> PickleValue? { places[.integer(number)].map { values[$0] } }
}

/// An object of a class that the reader knows: nothing but a class name and its attributes.
struct PickleObject: Sendable {
  /// The bare class name: `SongUNet`, `ModuleDict`.
  var className: String
  /// The attributes; an index into `PickleDocument.dictionaries`.
  var state: Int?
}

/// Everything that one pickle holds.
struct PickleDocument: Sendable {
  var root = PickleValue.none
  var sequences: [[PickleValue]] = []
  var dictionaries: [PickleDictionary] = []
  var objects: [PickleObject] = []
  var storages: [Storage] = []
  /// What each opaque value is, in words: `argparse.Namespace`.
  var opaque: [String] = []
  /// numpy types; nil for those that are not read.
  var numberTypes: [PickleValue.NumberType?] = []
  /// Storages of torch.save's old form whose elements are not read: their numbers of elements and bytes.
  var foreignStorages: [String: (count: Int, elementBytes: Int)] = [:]
  /// Views, each with the index of its storage.
  var tensors: [(storage: Int, offset: Int, shape: [Int], strides: [Int])] = []

  /// One tensor with its storage.
  func tensor(_ index: Int) -> StoredTensor {
    let view = tensors[index]
    return StoredTensor(storage: storages[view.storage], offset: view.offset, shape: view.shape, strides: view.strides)
  }

  func dictionary(_ value: PickleValue?) -> PickleDictionary? {
    if case .dictionary(let index)? = value { dictionaries[index] } else { nil }
  }
}

extension PickleDocument {
  /// What a value is, in words with an article, for messages.
  func description(of value: PickleValue?) -> String {
    switch value {
    case nil: "missing"
    case PickleValue.none?: "None"
    case .bool?, .integer?, .real?: "a number"
    case .text?: "a text"
    case .bytes?, .literalBytes?: "bytes"
    case .list(let index)?: "a list of \(sequences[index].count)"
    case .tuple(let index)?: "a tuple of \(sequences[index].count)"
    case .set(let index)?: "a set of \(sequences[index].count)"
    case .dictionary(let index)?: "a dictionary of \(dictionaries[index].keys.count)"
    case .object(let index)?: "an object of the class \(objects[index].className)"
    case .storage?: "a storage"
    case .tensor?: "a tensor"
    case .numberType?: "a numpy type"
    case .global(let global)?: "the name \(global.title)"
    case .opaque(let index)?: "an opaque \(opaque[index])"
    }
  }
}
