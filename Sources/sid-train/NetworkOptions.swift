import ArgumentParser
import ConfigurationFiles
import Diagnostics
import Files
import Models
import OptionValues
import Stage
import TrainingData

/// Which network is trained. Its official names stand in the help.
struct NetworkOptions: ParsableArguments {
  @Option(TrainValues.arch, help: "The family of the network: DDPM++, NCSN++ or ADM. (default: ddpmpp)")
  var arch: TeacherArchitecture?

  @Option(TrainValues.precond, help: "The preconditioner, and with it the noise levels and the loss. (default: edm)")
  var precond: TeacherPreconditioner?

  @Option(TrainValues.modelChannels, help: "Channels of the first level. (--cbase; default: 128, adm 192)")
  var modelChannels: Int?

  @Option(
    TrainValues.channelMult,
    help: ArgumentHelp(
      "Channels of each level as multiples of that, full resolution first. (--cres; default: 2,2,2, adm 1,2,3,4)",
      valueName: "list"))
  var channelMult: [Int]?

  @Option(TrainValues.numBlocks, help: "Residual blocks a level. (default: 4, adm 3)")
  var numBlocks: Int?

  @Option(
    TrainValues.attnResolutions,
    help: ArgumentHelp("Resolutions with self-attention. (default: 16, adm 32,16,8)", valueName: "list"))
  var attnResolutions: [Int]?

  @Option(
    help:
      "The network by EDM's names (YAML) instead of these options: precond, model_type, model_channels, ...; what the data set says may be left out."
  )
  var config: String?

  @Option(help: "A network file to go on from, whose architecture holds; the average has no ramp then.")
  var transfer: String?

  @Flag(help: "Train with the classes of the data set. (--cond)")
  var conditional = false

  /// Whether an option of them is given, by its name.
  func has(_ name: String) -> Bool {
    switch name {
    case TrainValues.arch.name: arch != nil
    case TrainValues.precond.name: precond != nil
    case TrainValues.modelChannels.name: modelChannels != nil
    case TrainValues.channelMult.name: channelMult != nil
    case TrainValues.numBlocks.name: numBlocks != nil
    case TrainValues.attnResolutions.name: attnResolutions != nil
    case "config": config != nil
    case "transfer": transfer != nil
    default: false
    }
  }

  /// What a data set says of the network.
  struct Images {
    /// The data set, for errors.
    let path: String
    /// Height and width.
    let resolution: Int
    let channels: Int
    /// Classes to train with; 0 for none.
    let classes: Int
  }

  /// The architecture of the options or of the configuration file.
  /// - Parameters:
  ///   - augmentLabels: how many the augmentations make.
  ///   - dropout: in training.
  /// - Throws: a `Failure` where they contradict each other or the data set.
  func configuration(_ images: Images, augmentLabels: Int, dropout: Float) throws -> NetworkConfiguration {
    var configuration = try config.map { try fileConfiguration($0, images) } ?? optionConfiguration(images)
    configuration.augmentDim = augmentLabels
    configuration.dropout = dropout
    do {
      try configuration.validate(origin: config ?? "the network")
    } catch let failure as Failure where config == nil {
      throw Failure(
        .usage, "the network for \(images.path)", failure.problem, remedy: "give another --channel-mult or --config")
    }
    return configuration
  }

  private func optionConfiguration(_ images: Images) -> NetworkConfiguration {
    let arch = arch ?? .ddpmpp
    let names: [TeacherPreconditioner: String] = [.edm: "EDMPrecond", .vp: "VPPrecond", .ve: "VEPrecond"]
    var c = NetworkConfiguration(
      defaultsOf: arch == .adm ? "DhariwalUNet" : "SongUNet", precond: names[precond ?? .edm] ?? "EDMPrecond",
      imgResolution: images.resolution, imgChannels: images.channels)
    if arch != .adm { c.channelMult = [2, 2, 2] }
    if arch == .ncsnpp {
      (c.embeddingType, c.encoderType, c.channelMultNoise) = ("fourier", "residual", 2)
      c.resampleFilter = [1, 3, 3, 1]
    }
    c.labelDim = images.classes
    c.modelChannels = modelChannels ?? c.modelChannels
    c.channelMult = channelMult ?? c.channelMult
    c.numBlocks = numBlocks ?? c.numBlocks
    c.attnResolutions = attnResolutions ?? c.attnResolutions
    return c
  }

  private func fileConfiguration(_ path: String, _ images: Images) throws -> NetworkConfiguration {
    var options = try ConfigurationFile.read(path)
    for (name, value) in [
      ("img_resolution", images.resolution), ("img_channels", images.channels), ("label_dim", images.classes),
    ] where options[name] == nil { options[name] = .integer(value) }
    let configuration = try ConfigurationFile.network(options, origin: path)
    try requireFit(configuration, images, origin: path)
    return configuration
  }

  /// Refuses a network that a file describes for other images than those of the data set.
  func requireFit(_ c: NetworkConfiguration, _ images: Images, origin: String) throws {
    guard (c.imgResolution, c.imgChannels) == (images.resolution, images.channels) else {
      throw Failure(
        .dataError, origin,
        "its network is for images of \(c.imgResolution)x\(c.imgResolution)x\(c.imgChannels); those of \(images.path) have "
          + "\(images.resolution)x\(images.resolution)x\(images.channels)")
    }
    guard conditional == (c.labelDim > 0) else {
      throw Failure(
        .usage, "--conditional",
        "is \(conditional ? "" : "not ")given; the network of \(origin) has \(c.labelDim) classes")
    }
    guard images.classes <= c.labelDim else {
      throw Failure(.dataError, images.path, "it has \(images.classes) classes, the network of \(origin) \(c.labelDim)")
    }
  }
}
