/// Changes a safetensors file: its header as JSON, the length before it, the data behind it.
enum SafetensorsMutation {
  private static let words = [
    "F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3", "C64", "dtype", "shape",
    "data_offsets", "__metadata__", "format", "model.enc.8x8_conv.weight", "",
  ]

  static func apply(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    let length = bytes.number(at: 0, count: 8)
    guard bytes.count >= 8, length >= 0, length <= bytes.count - 8 else { return ByteMutation.apply(bytes, &random) }
    var header = Array(bytes[8..<(8 + length)])
    var data = Array(bytes[(8 + length)...])
    var declared: Int?
    switch random.below(10) {
    case 0: declared = random.integer()
    case 1: data = ByteMutation.apply(data, &random)
    case 2: data = Array(data.prefix(random.below(data.count + 1)))
    default: header = TextMutation.apply(header, words: words, &random)
    }
    return UInt64(bitPattern: Int64(declared ?? header.count)).bytes + header + data
  }

  /// A tensor of each type.
  static let seed: [UInt8] = {
    var fields = ["\"__metadata__\":{\"format\":\"pt\"}"]
    var offset = 0
    for (type, width) in [
      ("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("I32", 4), ("I16", 2), ("I8", 1), ("U8", 1),
      ("BOOL", 1),
    ] {
      fields.append(
        "\"t.\(type)\":{\"dtype\":\"\(type)\",\"shape\":[2,3],\"data_offsets\":[\(offset),\(offset + 6 * width)]}")
      offset += 6 * width
    }
    let header = Array("{\(fields.joined(separator: ","))}".utf8)
    return UInt64(header.count).bytes + header + (0..<offset).map { UInt8(truncatingIfNeeded: $0 * 37) }
  }()
}

/// Changes a `.npy` file: its version, its header as text, the length before it, the data behind it.
enum NumpyMutation {
  private static let words = [
    "descr", "fortran_order", "shape", "<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "|u1", "|b1", ">f8", "|O",
    "<U9",
  ]

  static func apply(_ bytes: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    guard bytes.count > 12 else { return ByteMutation.apply(bytes, &random) }
    let width = bytes[6] == 1 ? 2 : 4
    let length = bytes.number(at: 8, count: width)
    guard length >= 0, length <= bytes.count - 8 - width else { return ByteMutation.apply(bytes, &random) }
    var version = bytes[6]
    var header = Array(bytes[(8 + width)..<(8 + width + length)])
    var data = Array(bytes[(8 + width + length)...])
    var declared: Int?
    switch random.below(10) {
    case 0: declared = random.integer()
    case 1: data = ByteMutation.apply(data, &random)
    case 2: version = UInt8(random.below(5))
    default: header = TextMutation.apply(header, words: words, &random)
    }
    return array(version: version, header: header, declared: declared, data: data)
  }

  /// An array of version 1 with a header.
  static func array(header: String, data: [UInt8]) -> [UInt8] {
    array(version: 1, header: Array(header.utf8), data: data)
  }

  private static func array(version: UInt8, header: [UInt8], declared: Int? = nil, data: [UInt8]) -> [UInt8] {
    var length = [UInt8](repeating: 0, count: version == 1 ? 2 : 4)
    length.set(declared ?? header.count, at: 0, count: length.count)
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + header + data
  }

  /// An array of a type, `[2, 3]`.
  static func array(_ type: String, width: Int, version: UInt8 = 1, fortran: Bool = false) -> [UInt8] {
    let text = "{'descr': '\(type)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': (2, 3), }\n"
    return array(
      version: version, header: Array(text.utf8), data: (0..<(6 * width)).map { UInt8(truncatingIfNeeded: $0 * 41) })
  }

  /// Every type, every version, both orders, stored and deflated.
  static let seeds: [[UInt8]] = {
    let types = [
      ("<f8", 8), ("<f4", 4), ("<f2", 2), ("<i8", 8), ("<i4", 4), ("<i2", 2), ("|i1", 1), ("|u1", 1), ("|b1", 1),
    ]
    let arrays = types.enumerated().map { index, type in
      array(type.0, width: type.1, version: UInt8(1 + index % 3), fortran: index % 2 == 1)
    }
    let archive = ZipImage(
      entries: arrays.enumerated().map { ("a\($0).npy", $1, $0 % 2 == 0) }, hasWideEnd: true)
    return [arrays[0], arrays[4], archive.encoded]
  }()
}
