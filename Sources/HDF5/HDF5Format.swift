import Diagnostics

/// A kind of file of this package, as its root attributes `format` and `format_version` name it.
public struct HDF5Format: Sendable, Equatable {
  /// The attribute `format`, such as `sid-network`.
  public let name: String
  /// The versions that are read; the last one is written.
  public let versions: ClosedRange<Int>

  /// - Parameters:
  ///   - name: the attribute `format`.
  ///   - version: the only version.
  public init(_ name: String, version: Int = 1) { self.init(name, versions: version...version) }

  /// - Parameters:
  ///   - name: the attribute `format`.
  ///   - versions: those that are read; the last one is written.
  public init(_ name: String, versions: ClosedRange<Int>) { (self.name, self.versions) = (name, versions) }
}

extension HDF5Group {
  /// Writes the attributes that say what file this is.
  public func setFormat(_ format: HDF5Format) throws {
    try setAttribute("format", format.name)
    try setAttribute("format_version", format.versions.upperBound)
  }

  /// What a file says that it is; nil where it does not say.
  public func formatName() throws -> String? { hasAttribute("format") ? try stringAttribute("format") : nil }
}

extension HDF5File {
  /// Checks that the file says it is of a format, in a version that is read.
  /// - Returns: the version of the file.
  /// - Throws: a `Failure` with status `dataError` naming what was found and what was expected.
  @discardableResult
  public func requireFormat(_ format: HDF5Format) throws -> Int {
    guard let found = try root.formatName() else {
      throw Failure(.dataError, path, "no attribute `format`: a file of format \(format.name) is expected")
    }
    guard found == format.name else {
      throw Failure(.dataError, path, "the format is \(found), a file of format \(format.name) is expected")
    }
    let version = try root.intAttribute("format_version")
    let versions = format.versions
    guard versions.contains(version) else {
      let readable = versions.count == 1 ? "\(versions.upperBound)" : "\(versions.lowerBound) to \(versions.upperBound)"
      throw Failure(
        .dataError, path, "version \(version) of format \(format.name), this program reads version \(readable)",
        remedy: "write the file again with this version of the programs")
    }
    return version
  }
}
