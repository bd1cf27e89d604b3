import Compute
import Diagnostics
import Foundation
import HDF5
import Models
import Training
import TrainingData

/// Some iterations of a teacher's training as the official trainer made them: its images and random numbers and what came of
/// them. Training here from the same start must come to the same.
///
/// The file's attribute `config` (JSON) holds the settings, `iteration_I/round_R/` images and draws of the official loop and its
/// losses, `iteration_I/` gradient and weight norms, `final_weights/` and `final_adam_l2/` what came of them.
public struct RecordedTeacherTraining {
  /// What the training had.
  public let settings: TeacherSettings
  /// How many iterations.
  public let iterations: Int
  /// Images that had been seen before the first one.
  public let firstImage: Int
  /// The network from which the training began; nil where the file does not have it.
  public let start: Network?
  let file: HDF5File
  let path: String

  /// Reads the settings and the start.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - settingsPath: another file of this kind, of the training that this one goes on with; its settings hold where this one
  ///     has none.
  /// - Throws: a `Failure` naming the file and what in it is missing or does not fit.
  public init(contentsOf path: String, settingsOf settingsPath: String? = nil) throws {
    self.path = path
    file = try HDF5File.open(path)
    guard file.root.contains("iteration_0"), try file.root.group("iteration_0").contains("round_0") else {
      throw Failure(.dataError, path, "not a recorded training of a teacher: it has no group `iteration_0/round_0`")
    }
    let other = try settingsPath.map { path in try RecordedConfiguration(try HDF5File.open(path), path: path) }
    let own = try RecordedConfiguration(file, path: path)
    func value<Value>(_ field: KeyPath<RecordedConfiguration, Value?>, _ name: String) throws -> Value {
      guard let value = own[keyPath: field] ?? other?[keyPath: field] else {
        throw Failure(
          .dataError, path, "its `config` has no \"\(name)\"",
          remedy: "where it goes on with another training, name that one's file in --settings-of")
      }
      return value
    }
    let (batch, rounds) = (try value(\.batch, "batch"), try value(\.rounds, "rounds"))
    let images = try value(\.resumeKimg, "resume_kimg") * 1000
    iterations = try value(\.iterations, "iterations")
    guard (1...4096).contains(batch), (1...batch).contains(rounds), batch % rounds == 0,
      (1...1000).contains(iterations),
      (0...1e12).contains(images)
    else { throw Failure(.dataError, path, "batch, rounds, iterations or start of its `config` are none") }
    firstImage = Int(images)
    var s = TeacherSettings()
    (s.batch, s.microbatch, s.gradientGroups) = (batch, batch / rounds, 1)
    s.learningRate = try value(\.lr, "lr")
    s.learningRateRampKimg = try value(\.lrRampupKimg, "lr_rampup_kimg")
    s.emaHalfLifeKimg = try value(\.emaHalfLifeKimg, "ema_halflife_kimg")
    s.emaRampupRatio = own.emaRampupRatio ?? other?.emaRampupRatio
    s.lossScale = try value(\.lossScaling, "loss_scaling")
    s.augment = try value(\.augmentProbability, "augment_p")
    s.dropout = 0
    s.durationKimg = Double(firstImage + iterations * batch) / 1000
    let betas = try value(\.betas, "betas")
    guard betas == [TeacherSettings.beta1, TeacherSettings.beta2], try value(\.eps, "eps") == TeacherSettings.epsilon,
      (0...1).contains(s.augment), s.learningRate >= 0, s.learningRate.isFinite, s.learningRateRampKimg >= 0,
      s.emaHalfLifeKimg >= 0
    else { throw Failure(.dataError, path, "its `config` is of another optimizer than EDM's trainer has") }
    guard [own.mean, other?.mean].allSatisfy({ $0 ?? -1.2 == -1.2 }),
      [own.deviation, other?.deviation].allSatisfy({ $0 ?? 1.2 == 1.2 })
    else { throw Failure(.dataError, path, "its `config` is of other noise levels than EDM's trainer has") }
    settings = s
    start = try Self.start(file, path: path)
  }

  /// The network of `initial_weights` or `initial_weights_flat`.
  private static func start(_ file: HDF5File, path: String) throws -> Network? {
    guard var source = try RecordedWeights(file.root, "initial_weights", of: file, path: path) else { return nil }
    let configuration = try Network.configuration(of: file.root, path: path)
    try source.shape(as: configuration, path: path)
    return try Network(configuration: configuration, source: source, origin: path)
  }
}

/// The `config` of a recorded training, by the official names.
private struct RecordedConfiguration: Decodable {
  var batch: Int?, rounds: Int?, iterations: Int?, resumeKimg: Double?
  var lr: Double?, lrRampupKimg: Double?, betas: [Double]?, eps: Double?
  var emaHalfLifeKimg: Double?, emaRampupRatio: Double?
  var lossScaling: Float?, augmentProbability: Float?
  var mean: Double?, deviation: Double?

  enum CodingKeys: String, CodingKey {
    case batch, rounds, iterations, lr, betas, eps
    case resumeKimg = "resume_kimg"
    case lrRampupKimg = "lr_rampup_kimg"
    case emaHalfLifeKimg = "ema_halflife_kimg"
    case emaRampupRatio = "ema_rampup_ratio"
    case lossScaling = "loss_scaling"
    case augmentProbability = "augment_p"
    case mean = "P_mean"
    case deviation = "P_std"
  }

  init(_ file: HDF5File, path: String) throws {
    guard file.root.hasAttribute("config") else {
      throw Failure(.dataError, path, "not a recorded training: it has no attribute `config`")
    }
    let text = try file.root.stringAttribute("config")
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw Failure(.dataError, path, "its attribute `config` is not the JSON of a recorded training's settings")
    }
  }
}
