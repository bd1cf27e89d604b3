extension Unicode.Scalar {
  /// Whether it is nothing to be seen and changes what is: control characters, format characters, which can turn the
  /// direction of writing or hide what stands between them, and the separators of lines and paragraphs.
  public var isInvisible: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
