import Diagnostics
import Foundation
import Records

/// Recognizes an output that is already there.
public enum FinishedOutput: Sendable, Equatable {
  /// The output has to be made.
  case missing
  /// The output stands there, made from the same inputs and options.
  case same

  /// Compares what stands at `path` with what is wanted.
  ///
  /// - Parameters:
  ///   - path: the output.
  ///   - wanted: what it would be made from now.
  ///   - overwrite: make it again in any case.
  ///   - existingProvenance: reads the `provenance` attribute of the file; called only if there is one.
  /// - Throws: a `Failure` (`cannotCreate`) naming the first difference, or that the file is none of ours.
  public static func check(
    _ path: String, wanted: Provenance, overwrite: Bool, existingProvenance: (String) throws -> String?
  ) throws -> FinishedOutput {
    if overwrite { return .missing }
    guard access(path, F_OK) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return .missing }
      throw Failure.system(path, "look at it")
    }
    let remedy = "choose another --output, or give --overwrite"
    let text: String?
    do {
      text = try existingProvenance(path)
    } catch let failure as Failure where ![.ioError, .temporaryFailure].contains(failure.status) {
      text = nil
    }
    guard let existing = text.flatMap({ Provenance(json: $0) }) else {
      throw Failure(.cannotCreate, path, "exists and is no output of \(wanted.program)", remedy: remedy)
    }
    if let difference = wanted.difference(from: existing) {
      throw Failure(.cannotCreate, path, "exists, but \(difference)", remedy: remedy)
    }
    return .same
  }
}
