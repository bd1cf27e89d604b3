import Files
import Foundation

/// Publishes `NAME.json` beside an output `NAME.h5`: the few figures that a person or the daemon wants.
///
/// Publish it before the output itself, so that an output under its final name always has its summary.
/// - Parameters:
///   - output: the path of the output.
///   - stage: the stage, for example "score".
///   - figures: the values that the daemon lifts to the top of a job's summary.
///   - details: anything else worth keeping.
/// - Throws: a `Failure` naming the file where it cannot be written.
public func publishSummary(
  output: String, stage: String, figures: [String: JSONValue], details: [String: JSONValue] = [:]
) throws {
  var fields = details
  fields["stage"] = .string(stage)
  fields["output"] = .string((output as NSString).lastPathComponent)
  fields["figures"] = .object(figures)
  try AtomicFile.publish(companion(of: output, extension: "json"), data: Data(JSONValue.object(fields).prettyText.utf8))
}

/// The file beside an output that has its name and another extension: `samples.png` for `samples.h5`.
public func companion(of output: String, extension newExtension: String) -> String {
  (output as NSString).deletingPathExtension + "." + newExtension
}
