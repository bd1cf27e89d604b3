import Diagnostics
import OptionValues
import Records

extension SampleRecipe {
  /// The recipe of an archive, as its provenance says.
  ///
  /// The classes of a labels file are in the archive: they are `stored`.
  /// - Parameters:
  ///   - origin: what the archive's `provenance` attribute says.
  ///   - archive: the file that errors name.
  /// - Throws: a `Failure` (`dataError`) where it says something unknown, or what no option may say.
  public init(origin: Provenance, archive: String) throws {
    let text = origin.options["class"] ?? ""
    guard let seeds = origin.options["seeds"].flatMap({ try? SeedList($0) }) else {
      throw Self.unknown("seeds", archive)
    }
    guard let rng = origin.options["rng"].flatMap({ RandomConvention(rawValue: $0) }) else {
      throw Self.unknown("rng", archive)
    }
    guard let choice = text == "labels-file" ? .stored : ClassChoice(text) else { throw Self.unknown("class", archive) }
    try self.init(
      sampler: try Self.sampler(origin, archive), seeds: seeds, classChoice: choice, convention: rng)
  }

  private static func sampler(_ origin: Provenance, _ archive: String) throws -> Sampler {
    func number(_ option: String, where isAllowed: (Double) -> Bool) throws -> Double {
      guard let value = origin.options[option].flatMap({ Double($0) }), isAllowed(value) else {
        throw unknown(option, archive)
      }
      return value
    }
    func positive(_ option: String) throws -> Double { try number(option) { $0 > 0 && $0.isFinite } }
    func nonnegative(_ option: String) throws -> Double { try number(option) { $0 >= 0 && $0.isFinite } }
    switch origin.options["sampler"] {
    case "one-step": return .oneStep(OneStepSampler(initSigma: try positive("init-sigma")))
    case "heun":
      var churn: HeunSampler.Churn?
      if origin.options["s-churn"] != nil {
        let low = try nonnegative("s-min")
        churn = HeunSampler.Churn(
          amount: try nonnegative("s-churn"), range: low...(try number("s-max") { $0 >= low }),
          noise: try nonnegative("s-noise"))
      }
      guard let steps = origin.options["steps"].flatMap({ Int($0) }), (2...10_000).contains(steps) else {
        throw unknown("steps", archive)
      }
      let low = try positive("sigma-min")
      return .heun(
        HeunSampler(
          steps: steps, sigmaMin: low, sigmaMax: try number("sigma-max") { $0 > low && $0.isFinite },
          rho: try positive("rho"), churn: churn))
    default: throw unknown("sampler", archive)
    }
  }

  private static func unknown(_ option: String, _ archive: String) -> Failure {
    Failure(.dataError, archive, "its provenance has no --\(option) that this program knows")
  }
}
