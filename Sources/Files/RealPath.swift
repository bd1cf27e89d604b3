import Diagnostics
import Foundation

/// Paths in which no component is a link.
package enum RealPath {
  /// The real path of what exists.
  /// - Throws: a `Failure` where nothing stands there, or the path is not text: it is to be handed to others as such.
  package static func of(_ path: String) throws -> String {
    guard let real = realpath(path, nil) else { throw Failure.system(path, "open") }
    defer { free(real) }
    guard let text = String(validatingCString: real) else {
      throw Failure(.configuration, path, "its real path is not UTF-8", remedy: "choose a folder whose path is")
    }
    return text
  }
}
