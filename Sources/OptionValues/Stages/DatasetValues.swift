/// Options of `sid-convert dataset`.
public enum DatasetValues {
  /// The size of the images.
  public static let resolution = ValueOption.pictureSize("resolution")
  /// Which part of a picture is taken.
  public static let transform = ValueOption<PictureTransformName>.choice("transform", standard: .centerCrop)
  /// What stands behind transparent pictures.
  public static let background = ValueOption.colour("background", standard: .white)
}

/// Which part of a picture is taken, by the names of EDM's `dataset_tool.py`.
public enum PictureTransformName: String, Sendable, CaseIterable {
  /// The largest square in the middle.
  case centerCrop = "center-crop"
  /// The largest part of given proportions in the middle, between black bars.
  case centerCropWide = "center-crop-wide"
}

/// How they have to fit each other.
public struct DatasetRelations: ValueRelations {
  private let resolution: PictureSize?
  private let transform: PictureTransformName
  private let digests: [ExpectedDigest]

  /// - Parameters:
  ///   - resolution: the size of the images; nil where it is not given.
  ///   - transform: which part of a picture is taken.
  ///   - digests: what inputs have to be.
  public init(resolution: PictureSize?, transform: PictureTransformName, digests: [ExpectedDigest]) {
    (self.resolution, self.transform, self.digests) = (resolution, transform, digests)
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    self.init(
      resolution: given.value(DatasetValues.resolution), transform: given.value(DatasetValues.transform) ?? .centerCrop,
      digests: given.values(CommonValues.digests))
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    let isWide = resolution?.hasBothSides ?? false
    guard transform == .centerCropWide || !isWide else {
      throw ValueConflict("resolution", "of WIDTHxHEIGHT needs the transform center-crop-wide")
    }
    guard transform == .centerCrop || isWide else {
      throw ValueConflict("transform", "center-crop-wide needs a resolution of WIDTHxHEIGHT")
    }
    try ExpectedDigest.check(digests, inputs: ["source"])
  }
}
