import Foundation

/// The keys of a JSON text that is known to be one.
enum JSONKeys {
  /// The first key that an object has twice: readers differ in which of the two they take, and a decoder does not say.
  static func firstRepeated(in json: [UInt8]) -> String? {
    // The keys of every object that is open; nil for a list.
    var open: [Set<String>?] = []
    var place = 0
    // A text is a key where it stands in an object behind the brace or a comma.
    var isKey = false
    while place < json.count {
      switch json[place] {
      case UInt8(ascii: "{"):
        open.append([])
        isKey = true
      case UInt8(ascii: "["):
        open.append(nil)
        isKey = false
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
      case UInt8(ascii: ","): isKey = (open.last ?? nil) != nil
      case UInt8(ascii: "\""):
        let start = place
        place += 1
        while place < json.count, json[place] != UInt8(ascii: "\"") {
          place += json[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        if isKey, !open.isEmpty, place < json.count {
          let key = text(json[start...place])
          if open[open.count - 1]?.insert(key).inserted == false { return key }
          isKey = false
        }
      default: break
      }
      place += 1
    }
    return nil
  }

  /// A quoted text without its quotes and escapes.
  private static func text(_ quoted: ArraySlice<UInt8>) -> String {
    let plain = String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
    guard quoted.contains(UInt8(ascii: "\\")) else { return plain }
    return (try? JSONDecoder().decode(String.self, from: Data(quoted))) ?? plain
  }
}
