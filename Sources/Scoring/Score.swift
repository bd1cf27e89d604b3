import Diagnostics
import HDF5
import Models

/// One figure, and what it was measured on.
public struct Score: Sendable, Equatable {
  /// How far a figure may be off.
  public struct Uncertainty: Sendable, Equatable {
    /// Whether it is the figure's own error or the spread of the parts that it is the mean of.
    public enum Kind: String, Sendable {
      case standardError = "standard_error"
      case standardDeviation = "standard_deviation"
    }
    /// What it is.
    public var kind: Kind
    /// Its size, in the figure's unit.
    public var value: Double
    /// Over what it was taken: "over 100 subsets".
    public var origin: String
  }

  /// The name of the figure.
  public var figure: String
  /// The figure.
  public var value: Double
  /// Its meaning in words.
  public var definition: String
  /// Images that were scored, repetitions included; of each set where there are several.
  public var imageCount: Int
  /// Images behind the reference; nil where the figure needs none.
  public var referenceImageCount: Int?
  /// How far it may be off, where that is known.
  public var uncertainty: Uncertainty?
  /// What a reader has to know: too few images, covariances without full rank.
  public var notes: [String] = []
  /// The figure of each set of images that `value` is the mean of and whose spread the uncertainty is; empty for one set.
  public var sets: [Double] = []

  /// The sample standard deviation over the sets; nil where there is one set.
  public var spread: Double? { sets.isEmpty ? nil : uncertainty?.value }

  /// The `format` attribute of a score file.
  public static let format = HDF5Format("sid-score")

  /// Writes a score file: `format`, `format_version`, `feature_network`, `input_convention`, `figures` (the names), and each
  /// figure's attributes.
  public static func write(
    _ scores: [Score], featureNetworkSHA256: String, convention: InputConvention, to file: HDF5File
  ) throws {
    try file.root.setFormat(format)
    try file.root.setAttribute("feature_network", featureNetworkSHA256)
    try file.root.setAttribute("input_convention", convention.rawValue)
    try file.root.setAttribute("figures", scores.map(\.figure))
    for score in scores { try score.write(to: file.root) }
  }

  /// Reads the figures of a score file back.
  /// - Throws: a `Failure` naming the file and what in it is missing.
  public static func read(from root: HDF5Group) throws -> [Score] {
    try root.stringsAttribute("figures").map { figure in
      var score = Score(
        figure: figure, value: try root.doubleAttribute(figure),
        definition: try root.stringAttribute(figure + "_definition"),
        imageCount: try root.intAttribute(figure + "_image_count"))
      let reference = figure + "_reference_image_count"
      if root.hasAttribute(reference) { score.referenceImageCount = try root.intAttribute(reference) }
      for kind in [Uncertainty.Kind.standardError, .standardDeviation]
      where root.hasAttribute(figure + "_" + kind.rawValue) {
        score.uncertainty = Uncertainty(
          kind: kind, value: try root.doubleAttribute(figure + "_" + kind.rawValue),
          origin: try root.stringAttribute(figure + "_uncertainty"))
      }
      if root.hasAttribute(figure + "_notes") { score.notes = try root.stringsAttribute(figure + "_notes") }
      if root.hasAttribute(figure + "_sets") { score.sets = try root.doublesAttribute(figure + "_sets") }
      return score
    }
  }

  /// Writes the figure's attributes: FIGURE, FIGURE_definition, FIGURE_image_count and, where they exist,
  /// FIGURE_reference_image_count, FIGURE_standard_error or FIGURE_standard_deviation, FIGURE_uncertainty, FIGURE_notes,
  /// FIGURE_sets (the figure of each set of images) and FIGURE_spread.
  func write(to group: HDF5Group) throws {
    try group.setAttribute(figure, value)
    try group.setAttribute(figure + "_definition", definition)
    try group.setAttribute(figure + "_image_count", imageCount)
    if let referenceImageCount { try group.setAttribute(figure + "_reference_image_count", referenceImageCount) }
    if let uncertainty {
      try group.setAttribute(figure + "_" + uncertainty.kind.rawValue, uncertainty.value)
      try group.setAttribute(figure + "_uncertainty", uncertainty.origin)
    }
    if !notes.isEmpty { try group.setAttribute(figure + "_notes", notes) }
    if let spread {
      try group.setAttribute(figure + "_sets", sets)
      try group.setAttribute(figure + "_spread", spread)
    }
  }
}
