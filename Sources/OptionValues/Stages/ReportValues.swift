/// Options of `sid-report`. Which inputs it has, its folder says: digests are checked there.
public enum ReportValues {
  /// Images of the contact sheet.
  public static let sheetImages = ValueOption.wholeNumber("sheet-images", 1...1000)
  /// Strips of images between two seeds.
  public static let interpolations = ValueOption.wholeNumber("interpolations", 0...20)
  /// Images of a strip.
  public static let frames = ValueOption.wholeNumber("frames", 2...32)
  /// The most images that are compared with each other, two or more; 0 for none.
  public static let duplicates = ValueOption.wholeNumber("duplicates", 2...10_000, or: 0)
}
