import Diagnostics
import Foundation

/// The safetensors format: a length, a JSON header, the data.
enum Safetensors {
  private struct Header: Decodable {
    struct Tensor: Decodable {
      let dtype: String
      let shape: [Int]
      let data_offsets: [Int]
    }
    struct Name: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    var tensors: [(name: String, tensor: Tensor)] = []
    var metadata: [String: String] = [:]

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Name.self)
      for name in container.allKeys {
        if name.stringValue == "__metadata__" {
          metadata = try container.decode([String: String].self, forKey: name)
          continue
        }
        tensors.append((name.stringValue, try container.decode(Tensor.self, forKey: name)))
      }
    }
  }

  /// Whether the file begins like one: a plausible length, then an opening brace.
  static func matches(_ beginning: [UInt8]) -> Bool { beginning.count >= 9 && beginning[8] == UInt8(ascii: "{") }

  /// What a file holds: tensors in the order of their data; those of types that are not read, with what each is; and the
  /// texts that the writer added.
  struct Content {
    var tensors: [(name: String, tensor: StoredTensor)] = []
    var leftOut: [(name: String, what: String)] = []
    let metadata: [String: String]
  }

  /// - Throws: `dataError` where the header is none, or does not account for every byte of the data.
  static func read(_ file: CheckpointFile) throws -> Content {
    var cursor = ByteCursor(file, file.everything)
    let length = try cursor.number(UInt64.self)
    // The format's own limit is 100 MB; a network of a hundred thousand tensors needs a sixth of that.
    let limit = 1 << 24
    guard length <= UInt64(min(limit, cursor.remaining)) else {
      throw file.refuse(
        "a safetensors header of \(length) bytes in a file of \(file.size)", remedy: "the file is truncated or damaged")
    }
    let bytes = try cursor.bytes(length, limit: limit, what: "the header")
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(bytes))
    } catch {
      throw file.refuse(
        "the safetensors header is not a JSON object of tensors with dtype, shape and data_offsets, and of texts in "
          + "__metadata__")
    }
    // Readers differ in which of the two they take.
    if let twice = JSONKeys.firstRepeated(in: bytes) {
      throw file.refuse(
        "the safetensors header has the key \"\(twice)\" twice in one object", remedy: "save the file again")
    }
    let data = ByteRange(start: cursor.position, count: cursor.remaining)
    var result = Content(metadata: header.metadata)
    var position = 0
    let order = header.tensors.sorted {
      ($0.tensor.data_offsets.first ?? 0, $0.tensor.data_offsets.last ?? 0, $0.name)
        < ($1.tensor.data_offsets.first ?? 0, $1.tensor.data_offsets.last ?? 0, $1.name)
    }
    for (name, entry) in order {
      guard entry.data_offsets.count == 2, entry.data_offsets[0] == position, entry.data_offsets[1] >= position,
        entry.data_offsets[1] <= data.count
      else {
        throw file.refuse(
          "tensor \(name) has data_offsets \(entry.data_offsets); expected to begin at \(position) and to end within "
            + "\(data.count)"
        )
      }
      guard let type = ElementType(rawValue: entry.dtype) else {
        result.leftOut.append((name, "a tensor \(entry.shape) of type \(entry.dtype), which is not read"))
        position = entry.data_offsets[1]
        continue
      }
      let count = (entry.data_offsets[1] - position) / type.byteCount
      guard let strides = StoredTensor.rowMajorStrides(entry.shape),
        entry.shape.reduce(1, *) * type.byteCount == entry.data_offsets[1] - position
      else {
        throw file.refuse(
          "tensor \(name) has shape \(entry.shape) and \(entry.data_offsets[1] - position) bytes of \(entry.dtype)")
      }
      let storage = Storage(
        key: name, type: type, count: count,
        bytes: ByteRange(start: data.start + position, count: count * type.byteCount))
      result.tensors.append((name, StoredTensor(storage: storage, offset: 0, shape: entry.shape, strides: strides)))
      position = entry.data_offsets[1]
    }
    guard position == data.count else {
      throw file.refuse("\(data.count - position) bytes of data belong to no tensor")
    }
    return result
  }
}
