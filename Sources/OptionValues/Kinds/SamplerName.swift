/// The samplers by the names of `--sampler`.
public enum SamplerName: String, CaseIterable, Sendable {
  /// A generator's one evaluation.
  case oneStep = "one-step"
  /// EDM's Heun sampler.
  case heun
}
