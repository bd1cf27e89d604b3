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

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Name.self)
      for name in container.allKeys where name.stringValue != "__metadata__" {
        tensors.append((name.stringValue, try container.decode(Tensor.self, forKey: name)))
      }
    }
  }

  /// Whether the file begins like one: a plausible length, then an opening brace.
  static func matches(_ beginning: [UInt8]) -> Bool { beginning.count >= 9 && beginning[8] == UInt8(ascii: "{") }

  /// The tensors in the order of their data.
  static func read(_ file: CheckpointFile) throws -> [(name: String, tensor: StoredTensor)] {
    var cursor = ByteCursor(file, file.everything)
    let length = try cursor.number(UInt64.self)
    let limit = 100_000_000  // the format's own limit
    guard length <= UInt64(min(limit, cursor.remaining)) else {
      throw file.refuse(
        "a safetensors header of \(length) bytes in a file of \(file.size)", remedy: "the file is truncated or damaged")
    }
    let bytes = try cursor.bytes(length, limit: limit, what: "the header")
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(bytes))
    } catch {
      throw file.refuse("the safetensors header is not a JSON object of tensors with dtype, shape and data_offsets")
    }
    let data = ByteRange(start: cursor.position, count: cursor.remaining)
    var result: [(name: String, tensor: StoredTensor)] = []
    var position = 0
    let order = header.tensors.sorted {
      ($0.tensor.data_offsets.first ?? 0, $0.tensor.data_offsets.last ?? 0, $0.name)
        < ($1.tensor.data_offsets.first ?? 0, $1.tensor.data_offsets.last ?? 0, $1.name)
    }
    for (name, entry) in order {
      guard let type = ElementType(rawValue: entry.dtype) else {
        throw file.refuse("tensor \(name) has type \(entry.dtype), which is not read")
      }
      guard entry.data_offsets.count == 2, entry.data_offsets[0] == position, entry.data_offsets[1] >= position,
        entry.data_offsets[1] <= data.count
      else {
        throw file.refuse(
          "tensor \(name) has data_offsets \(entry.data_offsets); expected to begin at \(position) and to end within "
            + "\(data.count)"
        )
      }
      let count = (entry.data_offsets[1] - position) / type.byteCount
      guard let strides = rowMajorStrides(entry.shape),
        entry.shape.reduce(1, *) * type.byteCount == entry.data_offsets[1] - position
      else {
        throw file.refuse(
          "tensor \(name) has shape \(entry.shape) and \(entry.data_offsets[1] - position) bytes of \(entry.dtype)")
      }
      let storage = Storage(
        key: name, type: type, count: count,
        bytes: ByteRange(start: data.start + position, count: count * type.byteCount))
      result.append((name, StoredTensor(storage: storage, offset: 0, shape: entry.shape, strides: strides)))
      position = entry.data_offsets[1]
    }
    guard position == data.count else {
      throw file.refuse("\(data.count - position) bytes of data belong to no tensor")
    }
    return result
  }

  /// Strides of a dense tensor; nil where an extent is negative or the product, in bytes, overflows.
  private static func rowMajorStrides(_ shape: [Int]) -> [Int]? {
    // From the front as well: an extent of zero at the end would hide an overflow from the loop below.
    var count = 1
    for extent in shape {
      let product = count.multipliedReportingOverflow(by: max(extent, 1))
      guard !product.overflow, product.partialValue <= Int.max / 16 else { return nil }
      count = product.partialValue
    }
    var strides: [Int] = []
    var stride = 1
    for extent in shape.reversed() {
      strides.append(stride)
      let product = stride.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !product.overflow, product.partialValue <= Int.max / 16 else { return nil }
      stride = product.partialValue
    }
    return strides.reversed()
  }
}
