import Files
import Records

extension Provenance {
  /// That of an output of this package.
  /// - Parameters:
  ///   - program: the program's name.
  ///   - inputs: the input files by option.
  ///   - options: every option that changes the result, as text.
  ///   - kernels: the kernel set and BLAS core, where the program computes.
  public init(program: String, inputs: [String: Input], options: [String: String], kernels: String? = nil) {
    self.init(program: program, version: Version.package, inputs: inputs, options: options, kernels: kernels)
  }
}

extension Provenance.Input {
  /// - Parameters:
  ///   - path: the input's path; only the last component is kept.
  ///   - sha256: the digest, where it is already known; nil computes it.
  /// - Throws: a `Failure` naming the file where it cannot be read.
  public init(_ path: String, sha256: String? = nil) throws {
    self.init(path: path, sha256: try sha256 ?? SHA256.hexDigest(ofFile: path))
  }
}
