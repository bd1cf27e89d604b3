/// How a picture is turned and mirrored to be seen, by EXIF's numbers 1 to 8. (CIPA DC-008, 4.6.5.1, tag 0x0112.)
struct Orientation: Sendable, Equatable {
  /// 1: as it is stored; 3: turned by half; 6 and 8: by a quarter; the others mirrored.
  let number: Int

  static let upright = Orientation(number: 1)

  private init(number: Int) { self.number = number }

  /// Whether rows are seen as columns.
  var swapsSides: Bool { number >= 5 }
  /// Whether the first of the stored columns is seen last: at the right, or, with sides swapped, at the bottom.
  var mirrorsColumns: Bool { [2, 3, 7, 8].contains(number) }
  /// Whether the first of the stored rows is seen last.
  var mirrorsRows: Bool { [3, 4, 6, 7].contains(number) }

  /// - Parameter exif: a TIFF file, as EXIF has it: its first directory is read.
  /// - Returns: nil where it says none that is defined; what is damaged says nothing.
  init?(exif: some Collection<UInt8>) {
    let bytes = Array(exif.prefix(1 << 16))
    let isLittle = bytes.starts(with: [0x49, 0x49, 0x2A, 0])
    guard isLittle || bytes.starts(with: [0x4D, 0x4D, 0, 0x2A]) else { return nil }
    func number(at place: Int, _ count: Int) -> Int? {
      guard place >= 0, place + count <= bytes.count else { return nil }
      let part = bytes[place..<place + count]
      return (isLittle ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(at: 4, 4), let count = number(at: directory, 2) else { return nil }
    for index in 0..<count {
      let entry = directory + 2 + 12 * index
      guard let tag = number(at: entry, 2) else { return nil }
      guard tag == 0x0112 else { continue }
      // A short, and as some write it a long.
      guard let kind = number(at: entry + 2, 2), kind == 3 || kind == 4,
        let value = number(at: entry + 8, kind == 3 ? 2 : 4), (1...8).contains(value)
      else { return nil }
      self.number = value
      return
    }
    return nil
  }

  /// - Parameter jpeg: the content of a JPEG file; its first EXIF segment before the pixels counts.
  /// - Returns: nil as above.
  init?(jpeg: [UInt8]) {
    var place = 2
    while place + 4 <= jpeg.count, jpeg[place] == 0xFF {
      let marker = jpeg[place + 1]
      // Filling bytes, and markers without a length.
      if marker == 0xFF {
        place += 1
        continue
      }
      if marker == 0x01 || (0xD0...0xD8).contains(marker) {
        place += 2
        continue
      }
      // The pixels, or the end.
      guard marker != 0xDA, marker != 0xD9 else { return nil }
      let length = Int(jpeg[place + 2]) << 8 | Int(jpeg[place + 3])
      guard length >= 2, place + 2 + length <= jpeg.count else { return nil }
      let content = jpeg[place + 4..<place + 2 + length]
      if marker == 0xE1, content.starts(with: Array("Exif".utf8) + [0, 0]) {
        self.init(exif: content.dropFirst(6))
        return
      }
      place += 2 + length
    }
    return nil
  }
}
