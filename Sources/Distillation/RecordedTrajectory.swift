import Compute
import Diagnostics
import Foundation
import HDF5
import Models
import Training
import TrainingData

/// Some iterations of SiD or SiDA as another program made them: its random numbers and what came of them. Training here from the
/// same start must come to the same.
///
/// The file's attribute `config` (JSON) holds the settings, `iteration_I/STEP/round_R/` the draws of the official loop, and
/// `losses/`, `iteration_I/*_grad_l2_per_tensor`, `final_weights/` and `final_adam_l2/` what came of them.
public struct RecordedTrajectory {
  /// What the training had.
  public let settings: DistillationSettings
  /// How many iterations.
  public let iterations: Int
  /// Images that had been seen before the first one.
  public let firstImage: Int
  /// The network from which all three began; nil where the file names one by its file alone.
  public let start: Network?
  let file: HDF5File
  let path: String

  /// Reads the settings and the start.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - settingsPath: another file of this kind, of the training that this one goes on with; its settings and its start hold
  ///     where this one has none.
  /// - Throws: a `Failure` naming the file and what in it is missing or does not fit.
  public init(contentsOf path: String, settingsOf settingsPath: String? = nil) throws {
    try self.init(contentsOf: path, settingsOf: settingsPath, replacingConfig: nil)
  }

  /// The same with another `config`, for tests.
  package init(contentsOf path: String, settingsOf settingsPath: String? = nil, replacingConfig: String?) throws {
    self.path = path
    file = try HDF5File.open(path)
    guard file.root.contains("iteration_0") else {
      throw Failure(.dataError, path, "not a recorded training: it has no group `iteration_0`")
    }
    let others = try settingsPath.map { path in (path: path, file: try HDF5File.open(path)) }
    let own = try Configuration(file, path: path, replacement: replacingConfig)
    let config = own.completed(by: try others.map { try Configuration($0.file, path: $0.path) })
    let batch = try config.required(\.batch, "batch", path: path)
    let rounds = try config.required(\.rounds, "rounds", path: path)
    iterations = try config.required(\.iterations, "iterations", path: path)
    let images = (config.start ?? 0) + (config.resumeKimg ?? 0) * 1000
    guard (1...4096).contains(batch), (1...batch).contains(rounds), batch % rounds == 0,
      (1...1000).contains(iterations),
      (0...1e12).contains(images), (0...1e12).contains(config.generatorStart ?? 0),
      (0...1e12).contains(config.adversarialStart ?? 0)
    else { throw Failure(.dataError, path, "batch, rounds, iterations or start of its `config` are none") }
    firstImage = Int(images)
    var s = DistillationSettings()
    (s.batch, s.microbatch, s.gradientGroups) = (batch, batch / rounds, 1)
    s.fakeScoreLearningRate = try config.required(\.lr, "lr", path: path)
    s.generatorLearningRate = try config.required(\.glr, "glr", path: path)
    s.generatorBeta1 = config.generatorBeta1 ?? s.generatorBeta1
    s.adamEpsilon = config.eps ?? s.adamEpsilon
    s.alpha = try config.required(\.alpha, "alpha", path: path)
    s.tmax = config.tmax ?? s.tmax
    s.initSigma = config.initSigma ?? s.initSigma
    s.fakeScoreLossScale = config.lossScaling ?? s.fakeScoreLossScale
    s.generatorLossScale = config.generatorLossScaling ?? s.generatorLossScale
    s.augment = config.augmentProbability ?? 0
    s.emaHalfLifeKimg = config.emaHalfLifeKimg ?? s.emaHalfLifeKimg
    s.emaRampupRatio = config.emaRampupRatio ?? s.emaRampupRatio
    s.adversarial = config.adversarial
    s.dropout = 0
    s.durationKimg = Double(firstImage + iterations * batch) / 1000
    settings = s
    start = try Self.start(file, path: path) ?? others.flatMap { try Self.start($0.file, path: $0.path) }
  }

  /// The network of `initial_weights` or `initial_weights_flat`.
  private static func start(_ file: HDF5File, path: String) throws -> Network? {
    guard var source = try RecordedWeights(file.root, "initial_weights", of: file, path: path) else { return nil }
    let configuration = try Network.configuration(of: file.root, path: path)
    try source.shape(as: configuration, path: path)
    return try Network(configuration: configuration, source: source, origin: path)
  }

  /// What came of the training, for one of its networks; nil where the file does not have it.
  /// - Parameter specifications: the parameters of that network.
  func finalWeights(_ network: String, _ specifications: [ParameterSpecification]) throws -> RecordedWeights? {
    for group in ["final_weights", "final_weights_flat"] where file.root.contains(group) {
      let source = try RecordedWeights(
        try file.root.group(group), network, of: file, path: path, specifications: specifications)
      if let source { return source }
    }
    return nil
  }

  /// The numbers of a data set; nil where there is none.
  func numbers(_ group: String, _ name: String) throws -> [Double]? {
    let place = group + "/" + name
    return file.root.contains(place) ? try file.root.dataset(place).read(Double.self) : nil
  }
}

/// The `config` of a recorded training, by the official names.
private struct Configuration: Decodable {
  var batch: Int?, rounds: Int?, iterations: Int?
  var start: Double?, resumeKimg: Double?
  var lr: Double?, glr: Double?, generatorBeta1: Double?, eps: Double?
  var alpha: Float?, tmax: Double?, initSigma: Float?
  var lossScaling: Float?, generatorLossScaling: Float?
  var discriminatorLossScaling: Float?, adversarialLossScaling: Float?, clipValue: Float?
  var generatorStart: Double?, adversarialStart: Double?
  var augmentProbability: Float?
  var emaHalfLifeKimg: Double?, emaRampupRatio: Double?

  enum CodingKeys: String, CodingKey {
    case batch, rounds, iterations, start, lr, glr, eps, alpha, tmax
    case resumeKimg = "resume_kimg"
    case generatorBeta1 = "g_beta1"
    case initSigma = "init_sigma"
    case lossScaling = "loss_scaling"
    case generatorLossScaling = "loss_scaling_G"
    case discriminatorLossScaling = "loss_scaling_D"
    case adversarialLossScaling = "loss_scaling_G_gan"
    case clipValue = "clip_value"
    case generatorStart = "images_before_generator_learns"
    case adversarialStart = "images_before_gan_joins"
    case augmentProbability = "augment_p"
    case emaHalfLifeKimg = "ema_halflife_kimg"
    case emaRampupRatio = "ema_rampup_ratio"
  }

  init(_ file: HDF5File, path: String, replacement: String? = nil) throws {
    guard file.root.hasAttribute("config") else {
      throw Failure(.dataError, path, "not a recorded training: it has no attribute `config`")
    }
    do {
      let text = try replacement ?? file.root.stringAttribute("config")
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(.dataError, path, "its attribute `config` is not the JSON of a recorded training's settings")
    }
  }

  /// The settings of an adversarial training; nil where the factor of a discriminator's loss is missing.
  var adversarial: AdversarialSettings? {
    guard let discriminatorLossScaling else { return nil }
    var s = AdversarialSettings()
    s.discriminatorLossScale = discriminatorLossScaling
    s.adversarialLossScale = adversarialLossScaling ?? s.adversarialLossScale
    s.gradientClip = clipValue ?? s.gradientClip
    s.generatorStartKimg = generatorStart.map { $0 / 1000 } ?? s.generatorStartKimg
    s.adversarialStartKimg = adversarialStart.map { $0 / 1000 } ?? s.adversarialStartKimg
    return s
  }

  /// These settings, and those of another training where they are missing.
  func completed(by other: Configuration?) -> Configuration {
    guard let other else { return self }
    var all = self
    all.batch = batch ?? other.batch
    all.rounds = rounds ?? other.rounds
    all.iterations = iterations ?? other.iterations
    all.lr = lr ?? other.lr
    all.glr = glr ?? other.glr
    all.generatorBeta1 = generatorBeta1 ?? other.generatorBeta1
    all.eps = eps ?? other.eps
    all.alpha = alpha ?? other.alpha
    all.tmax = tmax ?? other.tmax
    all.initSigma = initSigma ?? other.initSigma
    all.lossScaling = lossScaling ?? other.lossScaling
    all.generatorLossScaling = generatorLossScaling ?? other.generatorLossScaling
    all.discriminatorLossScaling = discriminatorLossScaling ?? other.discriminatorLossScaling
    all.adversarialLossScaling = adversarialLossScaling ?? other.adversarialLossScaling
    all.clipValue = clipValue ?? other.clipValue
    all.generatorStart = generatorStart ?? other.generatorStart
    all.adversarialStart = adversarialStart ?? other.adversarialStart
    all.augmentProbability = augmentProbability ?? other.augmentProbability
    all.emaHalfLifeKimg = emaHalfLifeKimg ?? other.emaHalfLifeKimg
    all.emaRampupRatio = emaRampupRatio ?? other.emaRampupRatio
    return all
  }

  func required<Value>(_ field: KeyPath<Configuration, Value?>, _ name: String, path: String) throws -> Value {
    guard let value = self[keyPath: field] else {
      throw Failure(
        .dataError, path, "its `config` has no \"\(name)\"",
        remedy: "where it goes on with another training, name that one's file in --settings-of")
    }
    return value
  }
}
