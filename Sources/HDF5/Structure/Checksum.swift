/// Jenkins' lookup3, the checksum of HDF5's metadata (Jenkins 2006, hashlittle with initial value 0).
enum Checksum {
  static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var a = 0xDEAD_BEEF &+ UInt32(truncatingIfNeeded: bytes.count)
    var (b, c) = (a, a)
    var place = bytes.startIndex
    while bytes.endIndex - place > 12 {
      a &+= word(bytes, place)
      b &+= word(bytes, place + 4)
      c &+= word(bytes, place + 8)
      mix(&a, &b, &c)
      place += 12
    }
    guard place < bytes.endIndex else { return c }
    a &+= word(bytes, place)
    b &+= word(bytes, place + 4)
    c &+= word(bytes, place + 8)
    for (target, source, turn) in [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)] {
      var words = [a, b, c]
      words[target] = (words[target] ^ words[source]) &- rotated(words[source], turn)
      (a, b, c) = (words[0], words[1], words[2])
    }
    return c
  }

  /// Four bytes, the lowest first; zeros beyond the end.
  private static func word(_ bytes: ArraySlice<UInt8>, _ place: Int) -> UInt32 {
    var word: UInt32 = 0
    for i in 0..<4 where place + i < bytes.endIndex { word |= UInt32(bytes[place + i]) << UInt32(8 * i) }
    return word
  }

  private static func rotated(_ x: UInt32, _ turn: Int) -> UInt32 { x << UInt32(turn) | x >> UInt32(32 - turn) }

  private static func mix(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
    a = (a &- c) ^ rotated(c, 4)
    c &+= b
    b = (b &- a) ^ rotated(a, 6)
    a &+= c
    c = (c &- b) ^ rotated(b, 8)
    b &+= a
    a = (a &- c) ^ rotated(c, 16)
    c &+= b
    b = (b &- a) ^ rotated(a, 19)
    a &+= c
    c = (c &- b) ^ rotated(b, 4)
    b &+= a
  }
}
