import Records

/// Options that several stages have.
public enum CommonValues {
  /// Worker threads.
  public static let threads = ValueOption.wholeNumber("threads", 1...1024)
  /// What inputs have to be.
  public static let digests = ValueOption.digest("expect-sha256")
  /// How convolutions are computed.
  public static let kernels = ValueOption<KernelMode>.choice("kernels", standard: .fast)

  /// How images become a feature network's input, by name.
  public static let conventions = ["native", "pytorch-fid", "tensorflow"]
  /// What can be measured, by name.
  public static let metrics = Metric.allCases.map(\.rawValue)
  /// What archives are converted to, by name.
  public static let archiveFormats = ["edm-zip", "npz", "webdataset", "png", "hdf5"]

  /// The convention behind an npz of statistics.
  public static let referenceConvention = ValueOption.choice("reference-convention", conventions)
  /// The number of images behind an npz of statistics; a covariance needs two.
  public static let referenceCount = ValueOption.wholeNumber("reference-count", 2...Int.max)
}
