import Diagnostics
import Files

extension ValueKind {
  /// Refuses a text that is no such value; numbers are read as Swift reads them: `1e2` is a number and no whole number.
  /// - Throws: `ValueProblem`.
  public func check(_ text: String) throws(ValueProblem) {
    switch self {
    case .text: try require(!text.isEmpty)
    case .wholeNumber(let range, let other): try require(Int(text).map { range.contains($0) || $0 == other } ?? false)
    case .seed: try require(UInt64(text) != nil)
    case .number(let range, .double): try require(Double(text).map(range.contains) ?? false)
    case .number(let range, .single): try require(Float(text).map { range.contains(Double($0)) } ?? false)
    case .choice(let names): try require(names.contains(text), hint: suggestion(text, names))
    case .choices(let names): try checkChoices(text, names)
    case .wholeNumbers(let range):
      for number in Self.split(text) { try require(Int(number).map(range.contains) ?? false) }
    case .seeds(let largest): try checkSeeds(text, largest)
    case .classes: try require(ClassText(text) != nil, hint: suggestion(text, ["random", "balanced"]))
    case .share: try require(WorkShare(text) != nil)
    case .figure: try require(FigureName.isValid(text), hint: FigureName.reason(text))
    case .digest: try require(ExpectedDigest(text) != nil)
    case .pictureSize: try require(PictureSize(text) != nil)
    case .colour: try require(ColourText(text) != nil, hint: suggestion(text, ColourText.names.keys.sorted()))
    }
  }

  private func require(_ condition: Bool, hint: @autoclosure () -> String? = nil) throws(ValueProblem) {
    if !condition { throw ValueProblem(expected: rule, hint: hint()) }
  }

  private func suggestion(_ text: String, _ names: [String]) -> String? {
    nearest(to: text, among: names).map { "did you mean \"\($0)\"?" }
  }

  private func checkChoices(_ text: String, _ names: [String]) throws(ValueProblem) {
    var seen: Set<String> = []
    for name in Self.split(text) {
      try require(names.contains(name), hint: suggestion(name, names) ?? "\"\(name.prefix(80))\" is none of them")
      try require(seen.insert(name).inserted, hint: "\(name) is named twice")
    }
  }

  /// The parts of a list by commas; a space may follow a comma.
  static func split(_ text: String) -> [String] {
    text.split(separator: ",", omittingEmptySubsequences: false).map { $0.drop { $0 == " " }.description }
  }

  private func checkSeeds(_ text: String, _ largest: UInt64) throws(ValueProblem) {
    do {
      let seeds = try SeedList(text)
      try require(seeds.largest <= largest, hint: "seed \(seeds.largest) is above it")
    } catch let failure as Failure {
      throw ValueProblem(expected: rule, hint: failure.problem)
    } catch {
      throw error as? ValueProblem ?? ValueProblem(expected: rule)
    }
  }
}
