import Checkpoints
import Diagnostics
import Foundation
import HDF5
import Models

/// What an npz of statistics does not say, and the user has to.
public struct NpzConventions: Sendable, Equatable {
  /// How the images became the network's input; nil for what is known of the file's name.
  public var convention: InputConvention?
  /// The number of images; nil for what is known of the file's name.
  public var count: Int?

  /// - Parameters:
  ///   - convention: how the images became the network's input.
  ///   - count: the number of images.
  public init(convention: InputConvention? = nil, count: Int? = nil) {
    (self.convention, self.count) = (convention, count)
  }

  /// The images behind NVIDIA's reference files of the EDM paper, by the files' names.
  static let published = [
    "cifar10-32x32.npz": 50_000, "ffhq-64x64.npz": 70_000, "afhqv2-64x64.npz": 15_803, "imagenet-64x64.npz": 1_281_167,
  ]
}

extension FeatureSet {
  /// Reads reference statistics: `sid-statistics`, or an npz with `mu` and `sigma`.
  /// - Throws: a `Failure` naming the file, and the option that is missing.
  public init(reference path: String, npz: NpzConventions) throws {
    guard try NumpyFile.isArchive(path) else {
      guard npz == NpzConventions() else {
        throw Failure(
          .usage, path, "--reference-convention and --reference-count are for npz files; this one says both itself")
      }
      try self.init(contentsOf: path)
      return
    }
    let file = try NumpyFile(path)
    guard file.names.contains("mu"), file.names.contains("sigma") else {
      throw Failure(
        .dataError, path, "an npz of \(file.names.joined(separator: ", ")); `mu` and `sigma` are expected")
    }
    let (mu, sigma) = (try file.requiredShape(of: "mu"), try file.requiredShape(of: "sigma"))
    guard mu.count == 1, mu[0] > 0, sigma == [mu[0], mu[0]] else {
      throw Failure(.dataError, path, "`mu` of shape \(mu) and `sigma` of shape \(sigma); [D] and [D, D] are expected")
    }
    let published = NpzConventions.published[(path as NSString).lastPathComponent]
    guard let convention = npz.convention ?? (published == nil ? nil : .tensorflow) else {
      throw Failure(
        .usage, path, "an npz does not say how its images were read",
        remedy:
          "give --reference-convention, one of \(InputConvention.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    guard let count = npz.count ?? published else {
      throw Failure(
        .usage, path, "an npz does not say how many images it is of", remedy: "give --reference-count")
    }
    self.init(
      statistics: try FeatureStatistics(
        mean: file.doubles("mu"), covariance: file.doubles("sigma"), imageCount: count, featureNetworkSHA256: nil,
        convention: convention, origin: path))
  }
}
