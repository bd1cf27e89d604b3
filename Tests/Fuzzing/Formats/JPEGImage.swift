/// A JPEG file as its segments, each with its marker; the data of a scan belong to its header.
struct JPEGImage {
  struct Segment {
    var marker: UInt8
    /// What the length counts, without the length.
    var content: [UInt8]
    /// What follows up to the next segment.
    var data: [UInt8] = []

    /// What a reader has to deal with.
    var names: [String] {
      switch marker {
      case 0xC0, 0xC2, 0xC9, 0xCA:
        let channels = content.dropFirst(5).first ?? 0
        return ["SOF\(marker - 0xC0)"] + ([1: ["gray"], 3: ["colour"], 4: ["four channels"]][channels] ?? [])
      case 0xC4: return ["DHT"]
      case 0xDB: return ["DQT"]
      case 0xDA: return ["SOS"]
      case 0xE1: return content.starts(with: Array("Exif".utf8)) ? ["EXIF"] : []
      case 0xEE: return ["Adobe"]
      default: return []
      }
    }
  }

  var segments: [Segment] = []

  /// - Returns: nil for bytes that are no JPEG file.
  init?(_ bytes: [UInt8]) {
    guard bytes.starts(with: [0xFF, 0xD8]) else { return nil }
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xFF, bytes[place + 1] != 0xD9 {
      let end = place + 2 + max(2, Int(bytes[place + 2]) << 8 | Int(bytes[place + 3]))
      guard end <= bytes.count else { break }
      var next = end
      if bytes[place + 1] == 0xDA {
        // Up to a marker: zeros and restarts belong to the data.
        while next < bytes.count,
          !(bytes[next] == 0xFF && next + 1 < bytes.count && bytes[next + 1] != 0 && bytes[next + 1] & 0xF8 != 0xD0)
        {
          next += 1
        }
      }
      segments.append(
        Segment(
          marker: bytes[place + 1], content: Array(bytes[place + 4..<end]), data: Array(bytes[end..<next])))
      place = next
    }
    guard !segments.isEmpty else { return nil }
  }

  var encoded: [UInt8] {
    [0xFF, 0xD8]
      + segments.flatMap { segment -> [UInt8] in
        let length = min(segment.content.count + 2, 65_535)
        return [0xFF, segment.marker, UInt8(length >> 8), UInt8(length & 255)] + segment.content + segment.data
      } + [0xFF, 0xD9]
  }

  static func mutate(_ bytes: [UInt8], donor: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    guard var image = JPEGImage(bytes) else { return ByteMutation.apply(bytes, &random) }
    for _ in 0...random.below(3) {
      guard !image.segments.isEmpty else { break }
      let index = random.below(image.segments.count)
      switch random.below(11) {
      case 0: image.segments.remove(at: index)
      case 1: image.segments.insert(image.segments[index], at: random.below(image.segments.count))
      case 2: image.segments.swapAt(index, random.below(image.segments.count))
      case 3: image.segments[index].marker = random.pick(markers)
      case 4, 5: image.segments[index].content = ByteMutation.apply(image.segments[index].content, &random)
      case 6: image.segments[index].data = ByteMutation.apply(image.segments[index].data, &random)
      case 7:
        guard let other = JPEGImage(donor) else { break }
        image.segments.insert(random.pick(other.segments), at: index)
      case 8: image.segments[index].data += [0xFF, 0xD0 + UInt8(random.below(8))]
      default: image.changeFrame(&random)
      }
    }
    return random.oneIn(10) ? ByteMutation.apply(image.encoded, &random) : image.encoded
  }

  private static let markers: [UInt8] = [
    0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC9, 0xCA, 0xCB, 0xCC, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xE1, 0xEE,
    0xFE,
  ]

  /// Depth, size, channels and their sampling.
  private mutating func changeFrame(_ random: inout FuzzRandom) {
    guard let index = segments.firstIndex(where: { [0xC0, 0xC2, 0xC9, 0xCA].contains($0.marker) }),
      segments[index].content.count > 8
    else { return }
    let small = UInt8(random.below(40))
    switch random.below(5) {
    case 0: segments[index].content[0] = random.pick([8, 12, 16, 2, random.byte()])
    case 1: segments[index].content.replaceSubrange(1..<3, with: [random.pick([0, 0, 0, 1, 0xFF]), small])
    case 2: segments[index].content.replaceSubrange(3..<5, with: [random.pick([0, 0, 0, 1, 0xFF]), small])
    case 3: segments[index].content[5] = random.pick([0, 1, 2, 3, 4, 5, random.byte()])
    default:
      let place = 7 + 3 * random.below(max(1, (segments[index].content.count - 6) / 3))
      guard place < segments[index].content.count else { return }
      segments[index].content[place] = random.pick([0x11, 0x21, 0x22, 0x12, 0x41, 0x14, 0x44, 0, random.byte()])
    }
  }
}
