/// What can be measured of a set of images, by the name that `--metrics` has for it. What it needs and how it is measured
/// is one file of Scoring: a `MetricDefinition`.
public enum Metric: String, Sendable, CaseIterable {
  /// The Frechet distance (Heusel et al. 2017, arXiv 1706.08500).
  case fid
  /// The kernel distance over subsets (Binkowski et al. 2018, arXiv 1801.01401).
  case kid
  /// The Inception Score over splits (Salimans et al. 2016, arXiv 1606.03498).
  case inceptionScore = "is"
  /// Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991).
  case precisionRecall = "pr"
  /// The Frechet distance extrapolated to infinitely many images (Chong & Forsyth 2020, arXiv 1911.07023).
  case extrapolated = "fd-infinity"
}
