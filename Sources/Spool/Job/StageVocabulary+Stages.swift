extension StageVocabulary {
  /// Kinds of step that are announced and not there yet.
  static let announced: Set<String> = ["report"]

  private static let networks: Set<ArtifactKind> = [.teacher, .generator]

  /// Every kind of step. A test compares this table with the programs' own descriptions of their options.
  public static let all: [StageVocabulary] = [
    StageVocabulary(
      "convert", program: "sid-convert", makes: .teacher, byOption: ["config": [.teacher, .features]],
      [
        StageOption("source", .input([]), leftOut: .refused, isPositional: true),
        StageOption("config", .input([])),
        StageOption("key", .text),
        StageOption("allow-nonfinite", .flag),
      ]),
    StageVocabulary(
      "distill", program: "sid-distill", makes: .generator,
      files: [("output", ".h5"), ("state", ".training-state.h5")],
      [
        StageOption("teacher", .input(networks), leftOut: .latest([.teacher])),
        StageOption("batch", .number),
        StageOption("microbatch", .number),
        StageOption("lr", .number),
        StageOption("glr", .number),
        StageOption("g-beta1", .number),
        StageOption("alpha", .number),
        StageOption("tmax", .number),
        StageOption("init-sigma", .number),
        StageOption("ema-halflife-kimg", .number),
        StageOption("ema-rampup-ratio", .number),
        StageOption("lr-decay-start-kimg", .number),
        StageOption("lr-decay-final", .number),
        StageOption("dropout", .number),
        StageOption("augment", .number),
        StageOption("loss-scale", .number),
        StageOption("generator-loss-scale", .number),
        StageOption("duration-kimg", .number),
        StageOption("snapshot-kimg", .number),
        StageOption("state-kimg", .number),
        StageOption("state-minutes", .number),
        StageOption("evaluate", .flag),
        StageOption("evaluate-kimg", .number),
        StageOption("evaluate-seeds", .text),
        StageOption("stop-at-fd", .number),
        StageOption("features", .input([.features]), leftOut: .latestWhenFlag("evaluate", [.features])),
        StageOption("reference", .input([.statistics]), leftOut: .latestWhenFlag("evaluate", [.statistics])),
        StageOption("labels", .input([])),
        StageOption("seed", .number),
        StageOption("checkpoint-activations", .flag),
        StageOption("kernels", .text),
      ]),
    StageVocabulary(
      "sample", program: "sid-sample", makes: .samples,
      [
        StageOption("network", .input(networks), leftOut: .latest(networks)),
        StageOption("seeds", .text, leftOut: .refused),
        StageOption("sampler", .text),
        StageOption("steps", .number),
        StageOption("init-sigma", .number),
        StageOption("sigma-min", .number),
        StageOption("sigma-max", .number),
        StageOption("rho", .number),
        StageOption("s-churn", .number),
        StageOption("s-min", .number),
        StageOption("s-max", .number),
        StageOption("s-noise", .number),
        StageOption("class", .text),
        StageOption("labels-file", .input([])),
        StageOption("batch", .number),
        StageOption("low-memory", .flag),
        StageOption("kernels", .text),
        StageOption("rng", .text),
        StageOption("checkpoint-images", .number),
        StageOption("shard-size", .number),
        StageOption("mixed-kernels", .flag),
        StageOption("export", .list),
        StageOption("contact-sheet-columns", .number),
        StageOption("contact-sheet-rows", .number),
      ]),
    StageVocabulary(
      "score", program: "sid-score", makes: .score,
      [
        StageOption("samples", .input([.samples]), leftOut: .latest([.samples])),
        StageOption("reference", .input([.statistics]), leftOut: .latest([.statistics])),
        StageOption("features", .input([.features]), leftOut: .latest([.features])),
        StageOption("figure", .text),
        StageOption("count", .number),
        StageOption("resample", .number),
        StageOption("resample-seed", .number),
      ]),
    StageVocabulary(
      "reference", program: "sid-score", subcommand: "reference", makes: .statistics,
      [
        StageOption("dataset", .input([]), leftOut: .refused),
        StageOption("features", .input([.features]), leftOut: .latest([.features])),
      ]),
  ]
}
