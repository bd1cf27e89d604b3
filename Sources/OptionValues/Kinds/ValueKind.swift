/// What texts an option takes, as data: a stage's parser and the reader of job files ask the same declaration.
public enum ValueKind: Sendable, Equatable {
  /// How many digits of a number the program keeps: a number counts as it is kept.
  public enum Precision: Sendable { case single, double }

  /// Any text that is not empty.
  case text
  /// A whole number in a range, or one other.
  case wholeNumber(ClosedRange<Int>, or: Int?)
  /// A whole number of 64 bits without sign.
  case seed
  /// A number in a range.
  case number(NumberRange, Precision)
  /// One of these names.
  case choice([String])
  /// Some of these names, separated by commas, each once.
  case choices([String])
  /// Whole numbers in a range, separated by commas.
  case wholeNumbers(ClosedRange<Int>)
  /// A list of seeds and ranges of seeds; each at most the given one.
  case seeds(largest: UInt64)
  /// Which class an image gets (`ClassText`).
  case classes
  /// One machine's share of the work, `i/n` (`WorkShare`).
  case share
  /// The name of a figure in a summary (`FigureName`).
  case figure
  /// A digest of an input, `INPUT=DIGEST` (`ExpectedDigest`).
  case digest
  /// The size of a picture (`PictureSize`).
  case pictureSize
  /// A colour (`ColourText`).
  case colour

  /// What is expected, in words: "a whole number from 1 to 1024".
  public var rule: String {
    switch self {
    case .text: "a text that is not empty"
    case .wholeNumber, .number: [noun, words].compactMap { $0 }.joined(separator: " ")
    case .seed: "a whole number from 0 to 2^64 - 1"
    case .choice(let names): "one of \(names.joined(separator: ", "))"
    case .choices(let names): "some of \(names.joined(separator: ", ")), separated by commas"
    case .wholeNumbers(let range):
      "whole numbers from \(range.lowerBound) to \(range.upperBound), separated by commas"
    case .seeds(.max): "seeds such as 0-49999 or 1,5,10-20"
    case .seeds(let largest): "seeds of at most \(largest) such as 0-49999 or 1,5,10-20"
    case .classes: "random, balanced, a class number or a list of classes such as 0,3,5-7 or 0*20,1*3"
    case .share: "a share i/n such as 2/5, i from 1 to n, n at most \(1 << 20)"
    case .figure: FigureName.rule
    case .digest: "INPUT=DIGEST, the digest being empty or 64 hexadecimal digits"
    case .pictureSize: PictureSize.rule
    case .colour: ColourText.rule
    }
  }

  private var noun: String {
    switch self {
    case .number(.finite, _): "a finite number"
    case .number: "a number"
    default: "a whole number"
    }
  }

  /// The ends of a range in words, as `--help` shows them; nil for other kinds.
  public var words: String? {
    switch self {
    case .wholeNumber(let range, let other):
      (other.map { "\($0) or " } ?? "")
        + (range.upperBound == .max
          ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)")
    case .number(let range, _): range.words
    default: nil
    }
  }

  /// The names to choose from; empty for other kinds.
  public var names: [String] {
    switch self {
    case .choice(let names), .choices(let names): names
    default: []
    }
  }
}
