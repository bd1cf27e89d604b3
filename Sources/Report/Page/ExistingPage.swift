import Diagnostics
import Foundation

/// A page that stands there already.
public enum ExistingPage {
  // The provenance stands in the first lines.
  private static let headBytes = 2 << 20

  /// What a page was made from; nil where the file is no page of this program's.
  /// - Throws: a `Failure` where it cannot be read.
  public static func provenance(_ path: String) throws -> String? {
    let head = String(decoding: try BoundedFile.head(path, limitBytes: headBytes).data, as: UTF8.self)
    let start = "<meta name=\"\(ReportPage.provenanceName)\" content=\""
    guard let opening = head.range(of: start), let end = head[opening.upperBound...].firstIndex(of: "\"") else {
      return nil
    }
    return HTML.unescaped(String(head[opening.upperBound..<end]))
  }
}
