import Foundation

/// What a comparison with the training pictures says of the network.
package enum MemorisingVerdict: Sendable, Equatable {
  /// No sample is a copy.
  case none
  /// Some are as near as copies would be, but no more than there are training pictures so near to others.
  case asAmongPictures
  /// The training pictures themselves are so near to each other that copies cannot be told from new pictures.
  case undecidable
  /// Fewer than a tenth are copies.
  case few
  /// A tenth and more.
  case many
  /// A half and more.
  case most
}

extension MemorisingCheck {
  /// From what share of training pictures with another one within the threshold on nothing can be said.
  private static let mostAmong = 0.2

  /// The share of the samples that are as good as copies.
  package var copiesShare: Double { Double(copies) / Double(max(1, sampleCount)) }
  /// The share of the training pictures that have another one within the threshold.
  package var amongShare: Double { Double(copiesAmong) / Double(max(1, questionedCount)) }

  /// What it says.
  package var verdict: MemorisingVerdict {
    if copies == 0 { return .none }
    if amongShare >= Self.mostAmong { return .undecidable }
    guard isBeyondChance else { return .asAmongPictures }
    // Copies of the pictures that were not compared go unnoticed.
    let share = (copiesShare - amongShare) / share
    return share >= 0.5 ? .most : share >= 0.1 ? .many : .few
  }

  /// Whether so many copies would come about in less than one of a thousand cases (Poisson), were samples as near to training
  /// pictures as these are to each other; their share is taken as large as its own count allows.
  private var isBeyondChance: Bool {
    let among = Double(copiesAmong)
    let expected = Double(sampleCount) / Double(max(1, questionedCount)) * (among + 1 + 2 * among.squareRoot())
    let fewer = (0..<copies).reduce(0.0) { $0 + exp(Double($1) * log(expected) - expected - lgamma(Double($1) + 1)) }
    return 1 - fewer < 1e-3
  }

  /// Whether samples are so much farther from training pictures than these are from each other that they are hardly like them.
  private var isFar: Bool {
    guard let medianDistance, let medianAmong else { return false }
    return medianDistance > 1.3 * medianAmong
  }

  /// The same in words, with its figures.
  package var sentence: String {
    let among = "\(Self.percent(amongShare)) of the training pictures have another one as near"
    let (are, likeCopies) =
      copies == 1 ? ("is", "a copy of a training picture") : ("are", "copies of training pictures")
    let found =
      "\(Format.count(copies)) of \(Format.plural(sampleCount, "sample")) (\(Self.percent(copiesShare))) \(are)"
    let advice = "train on more pictures, for less long, or with a smaller network"
    let verdict =
      switch verdict {
      case .none:
        "None of \(Format.plural(sampleCount, "sample")) is as good as a copy of a training picture; \(among). "
          + (isFar
            ? "The samples are farther from all pictures than these are from each other, so that it says little yet."
            : "No sign that the network memorises.")
      case .asAmongPictures:
        "\(found) as near to a training picture as a copy, and \(among): within chance, no sign that the network memorises."
      case .undecidable:
        "\(found) as near to a training picture as a copy, but \(among): the data set repeats itself too much to tell copies from new pictures."
      case .few: "\(found) as good as \(likeCopies); \(among)."
      case .many: "\(found) as good as \(likeCopies): the network memorises a part of them; \(advice)."
      case .most: "\(found) as good as \(likeCopies): the network has memorised them; \(advice)."
      }
    guard share < 1, copies > 0 else { return verdict }
    let all = Self.percent(min(1, copiesShare / share))
    return verdict
      + " Only \(Self.percent(share)) of the training pictures were compared: with all of them it might be \(all) of the samples."
  }

  /// What counts as a copy, in a sentence.
  package var definition: String {
    "A sample counts as a copy where it is equal to a training picture or nearer to it than \(Format.number(threshold)) levels, mirrored or not: a third of the median "
      + "distance from a training picture to its nearest other one, equal ones aside, or a tenth of the mean distance of two of them where that is more."
  }

  /// "0.4 %", "56 %".
  static func percent(_ share: Double) -> String {
    let percent = 100 * share
    if percent == 0 || percent == 100 { return "\(Int(percent)) %" }
    if percent < 0.01 { return "under 0.01 %" }
    if percent >= 99.5 { return "over 99 %" }
    return percent >= 10 ? "\(Int(percent.rounded())) %" : "\(Format.number((percent * 100).rounded() / 100)) %"
  }
}
