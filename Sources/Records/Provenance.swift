import Foundation

/// What an output was made from: the JSON attribute `provenance` of every output file.
///
/// Holds exactly what changes the result. The number of threads, progress and the like stay out of it.
public struct Provenance: Codable, Sendable, Equatable {
  /// One input file.
  public struct Input: Codable, Sendable, Equatable {
    /// Its name without the folder.
    public let path: String
    /// The digest of its content, hexadecimal.
    public let sha256: String

    /// - Parameters:
    ///   - path: the input's path; only the last component is kept.
    ///   - sha256: the digest of its content, hexadecimal.
    public init(path: String, sha256: String) {
      self.path = (path as NSString).lastPathComponent
      self.sha256 = sha256
    }
  }

  /// The program, for example "sid-sample".
  public let program: String
  /// The package's version.
  public let version: String
  /// The input files by the option that names them.
  public let inputs: [String: Input]
  /// Every option that changes the result, by its name without dashes, as text.
  public let options: [String: String]
  /// The kernel set and BLAS core that computed it. Results are bit-identical within one set.
  public let kernels: String?

  /// - Parameters:
  ///   - program: the program's name.
  ///   - version: the package's version.
  ///   - inputs: the input files by option.
  ///   - options: every option that changes the result, as text.
  ///   - kernels: the kernel set and BLAS core, where the program computes.
  public init(
    program: String, version: String, inputs: [String: Input], options: [String: String], kernels: String? = nil
  ) {
    self.program = program
    self.version = version
    self.inputs = inputs
    self.options = options
    self.kernels = kernels
  }

  /// The attribute's text: one line, keys sorted.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Strings and dictionaries of strings: the encoder has nothing to refuse.
    guard let data = try? encoder.encode(self) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Reads the text back; nil if it is no provenance.
  public init?(json: String) {
    guard let value = try? JSONDecoder().decode(Provenance.self, from: Data(json.utf8)) else { return nil }
    self = value
  }

  /// What decides over bits beside the work itself: program version and kernel set.
  public var maker: String { "\(program) \(version), \(kernels ?? "no kernels")" }

  /// The same work by other kernels.
  public func with(kernels: String?) -> Provenance {
    Provenance(program: program, version: version, inputs: inputs, options: options, kernels: kernels)
  }

  /// The first thing that makes another provenance a different piece of work, in words; nil if there is none.
  ///
  /// Neither the names of the inputs nor the version and kernels count: they do not change what was asked for.
  public func difference(from other: Provenance) -> String? {
    if program != other.program { return "it was made by \(other.program)" }
    for key in Set(options.keys).union(other.options.keys).sorted() where options[key] != other.options[key] {
      return "--\(key) was \(other.options[key] ?? "not given") and is now \(options[key] ?? "not given")"
    }
    for key in Set(inputs.keys).union(other.inputs.keys).sorted() where inputs[key]?.sha256 != other.inputs[key]?.sha256
    {
      func name(_ input: Input?) -> String {
        input.map { "\($0.path) (SHA-256 \($0.sha256.prefix(8)))" } ?? "not given"
      }
      return "its \(key) was \(name(other.inputs[key])) and is now \(name(inputs[key]))"
    }
    return nil
  }
}
