import Diagnostics
import OptionValues

/// Which class an image gets.
public enum ClassChoice: Sendable, Equatable, CustomStringConvertible {
  /// Drawn from the image's own seed.
  case random
  /// The seed modulo the number of classes: as many images of each class, from any range of seeds.
  case balanced
  /// The same for every image.
  case fixed(Int)
  /// The one whose place in the list is the seed modulo the list's length.
  case list([Int])
  /// One for each image, in their order.
  case file(LabelsFile)
  /// What a finished archive says; for making its images again.
  case stored

  /// Reads "random", "balanced", a class number, or a list such as "0,3,5-7" or "0*20,1*3".
  public init?(_ text: String) {
    guard let choice = ClassText(text) else { return nil }
    self.init(choice)
  }

  /// What an option says.
  public init(_ text: ClassText) {
    switch text {
    case .random: self = .random
    case .balanced: self = .balanced
    case .fixed(let number): self = .fixed(number)
    case .list(let numbers): self = .list(numbers)
    }
  }

  /// "random", "balanced", the number or the numbers.
  public var description: String {
    switch self {
    case .random: "random"
    case .balanced: "balanced"
    case .fixed(let number): "\(number)"
    case .list(let numbers): numbers.map(String.init).joined(separator: ",")
    case .file, .stored: "labels-file"
    }
  }

  /// Refuses a class that the network does not have.
  /// - Parameters:
  ///   - labelDim: how many it has.
  ///   - network: what errors call it.
  ///   - option: how the choice was said.
  /// - Throws: a `Failure` (`usage`; `dataError` for a labels file).
  public func validate(labelDim: Int, network: String, option name: String = "--class") throws {
    let option = if case .file(let file) = self { "--labels-file \(file.path)" } else { "\(name) \(self)" }
    guard self == .random || labelDim > 0 else {
      throw Failure(.usage, option, "\(network) has no classes", remedy: "leave it out")
    }
    let largest: Int
    switch self {
    case .random, .balanced, .stored: return
    case .fixed(let number): largest = number
    case .list(let numbers): largest = numbers.max() ?? 0
    case .file(let file): largest = file.largest
    }
    guard largest < labelDim else {
      throw Failure(
        .usage, option, "there is no class \(largest): \(network) has classes 0 to \(labelDim - 1)")
    }
  }

  /// The class of an image.
  /// - Parameters:
  ///   - seed: the image's seed.
  ///   - drawn: what its generator drew.
  ///   - labelDim: the number of classes.
  ///   - listed: what the labels file says.
  func number(seed: UInt64, drawn: Int, labelDim: Int, listed: Int?) -> Int {
    switch self {
    case .random: drawn
    case .balanced: Int(seed % UInt64(labelDim))
    case .fixed(let number): number
    case .list(let numbers): numbers[Int(seed % UInt64(numbers.count))]
    case .file, .stored: listed ?? drawn
    }
  }
}
