import Foundation

/// What the `provenance` attribute of a samples file says.
public struct SampleOrigin: Codable, Sendable, Equatable {
  /// One input file.
  public struct Input: Codable, Sendable, Equatable {
    /// Its name without the folder.
    public let path: String
    /// The digest of its content, hexadecimal.
    public let sha256: String
  }

  /// The program.
  public let program: String
  /// The package's version.
  public let version: String
  /// The input files by option.
  public let inputs: [String: Input]
  /// Every option that changes the result.
  public let options: [String: String]
  /// The kernel set.
  public let kernels: String?

  /// Reads the attribute; nil if it is none.
  public init?(json: String) {
    guard let value = try? JSONDecoder().decode(SampleOrigin.self, from: Data(json.utf8)) else { return nil }
    self = value
  }

  /// The attribute's text: one line, keys sorted.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  /// What decides over bits beside the work itself: program version and kernel set.
  public var maker: String { "\(program) \(version), \(kernels ?? "no kernels")" }

  /// The same work by other kernels.
  func with(kernels: String?) -> SampleOrigin {
    SampleOrigin(program: program, version: version, inputs: inputs, options: options, kernels: kernels)
  }

  private init(program: String, version: String, inputs: [String: Input], options: [String: String], kernels: String?) {
    self.program = program
    self.version = version
    self.inputs = inputs
    self.options = options
    self.kernels = kernels
  }

  /// The first thing that makes another origin different work, in words; nil if there is none.
  public func difference(from other: SampleOrigin) -> String? {
    if program != other.program { return "it was made by \(other.program)" }
    for key in Set(options.keys).union(other.options.keys).sorted() where options[key] != other.options[key] {
      return "--\(key) was \(other.options[key] ?? "not given") and is now \(options[key] ?? "not given")"
    }
    for key in Set(inputs.keys).union(other.inputs.keys).sorted() where inputs[key]?.sha256 != other.inputs[key]?.sha256
    {
      return "its \(key) was another file"
    }
    return nil
  }
}
