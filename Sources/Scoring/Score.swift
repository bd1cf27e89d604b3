import Diagnostics
import HDF5

/// A Frechet distance and what it was measured on.
public struct Score: Sendable, Equatable {
  /// The name of the figure, `fd` unless given.
  public var figure: String
  /// The distance.
  public var value: Double
  /// Images that were scored, repetitions included.
  public var imageCount: Int
  /// Images behind the reference.
  public var referenceImageCount: Int
  /// The SHA-256 of the feature network's file.
  public var featureNetworkSHA256: String
  /// Whether the images were drawn with replacement.
  public var isResampled: Bool

  /// The `format` attribute of a score file.
  public static let format = "sid-score"

  /// The figure's meaning in words.
  public var definition: String {
    "squared Frechet distance |m1-m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) between normal distributions fitted to the features "
      + "of \(imageCount) images\(isResampled ? " drawn with replacement" : "") and of \(referenceImageCount) reference "
      + "images, covariances divided by N - 1"
  }

  /// - Parameters: as the properties.
  public init(
    figure: String, value: Double, imageCount: Int, referenceImageCount: Int, featureNetworkSHA256: String,
    isResampled: Bool
  ) {
    (self.figure, self.value, self.imageCount) = (figure, value, imageCount)
    (self.referenceImageCount, self.featureNetworkSHA256) = (referenceImageCount, featureNetworkSHA256)
    self.isResampled = isResampled
  }

  /// Writes `format`, `format_version` and the figure's attributes into a new file: FIGURE, FIGURE_definition,
  /// FIGURE_image_count, FIGURE_reference_image_count, and `feature_network`.
  public func write(to file: HDF5File) throws {
    try file.root.setAttribute("format", Self.format)
    try file.root.setAttribute("format_version", 1)
    try file.root.setAttribute("feature_network", featureNetworkSHA256)
    try file.root.setAttribute("figures", [figure])
    try file.root.setAttribute(figure, value)
    try file.root.setAttribute(figure + "_definition", definition)
    try file.root.setAttribute(figure + "_image_count", imageCount)
    try file.root.setAttribute(figure + "_reference_image_count", referenceImageCount)
  }
}
