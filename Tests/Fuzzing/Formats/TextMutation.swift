/// Changes a text of braces, names and numbers (JSON, a numpy header) token by token.
enum TextMutation {
  static func apply(_ text: [UInt8], words: [String], _ random: inout FuzzRandom) -> [UInt8] {
    var tokens = split(text)
    for _ in 0...random.below(3) {
      guard !tokens.isEmpty else { return text }
      let place = random.below(tokens.count)
      switch random.below(9) {
      case 0: tokens.remove(at: place)
      case 1: tokens.insert(random.pick(tokens), at: place)
      case 2: tokens.swapAt(place, random.below(tokens.count))
      case 3: tokens.removeSubrange(place..<min(tokens.count, place + 1 + random.below(20)))
      case 4:
        let run = tokens[place..<min(tokens.count, place + 1 + random.below(20))]
        tokens.insert(contentsOf: run, at: random.below(tokens.count))
      case 5: tokens[place] = ByteMutation.apply(tokens[place], &random)
      case 6: tokens.insert(contentsOf: Array(repeating: Array("[".utf8), count: 1 << random.below(14)), at: place)
      default: tokens[place] = replacement(of: tokens[place], words: words, &random)
      }
    }
    return tokens.flatMap { $0 }
  }

  private static func replacement(of token: [UInt8], words: [String], _ random: inout FuzzRandom) -> [UInt8] {
    switch token.first {
    case UInt8(ascii: "\"")?, UInt8(ascii: "'")?:
      let quote = [token[0]]
      return quote + Array(random.pick(words).utf8) + quote
    case (UInt8(ascii: "0")...UInt8(ascii: "9"))?:
      return Array(
        random.pick(["\(random.integer())", "1e300", "0.5", "-0", "1\(String(repeating: "0", count: 30))", "null"]).utf8
      )
    default: return Array(random.pick(["{", "}", "[", "]", "(", ")", ",", ":", "true", "null", "True", "\"\""]).utf8)
    }
  }

  private static func split(_ text: [UInt8]) -> [[UInt8]] {
    var tokens: [[UInt8]] = []
    var place = 0
    func isWord(_ byte: UInt8) -> Bool {
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2E
        || byte == 0x2D || byte == 0x5F
    }
    while place < text.count {
      var end = place + 1
      if text[place] == UInt8(ascii: "\"") || text[place] == UInt8(ascii: "'") {
        while end < text.count, text[end] != text[place] { end += 1 }
        end = min(end + 1, text.count)
      } else if isWord(text[place]) {
        while end < text.count, isWord(text[end]) { end += 1 }
      }
      tokens.append(Array(text[place..<end]))
      place = end
    }
    return tokens
  }
}
