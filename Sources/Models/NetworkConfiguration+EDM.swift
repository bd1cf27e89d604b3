import Diagnostics
import Files

extension NetworkConfiguration {
  /// The class of a network without what SiDA's training adds to its name: the same tensors, under the same names, that also
  /// hand out the encoder's last activation.
  private static func plain(_ className: String) -> String {
    let suffix = "_EncoderDecoder"
    return className.hasSuffix(suffix) ? String(className.dropLast(suffix.count)) : className
  }

  /// The architecture of a network that EDM, SiD or SiDA saved as an object.
  ///
  /// The keyword arguments the object was made with describe it; what the object says of itself now, in its
  /// attributes, wins over them. What neither says has the default of the class.
  /// - Parameters:
  ///   - className: the preconditioner's class, `EDMPrecond`, `VPPrecond`, `VEPrecond` or `iDDPMPrecond`.
  ///   - modelClassName: the inner network's class, `SongUNet` or `DhariwalUNet`.
  ///   - initKeywords: the keyword arguments of the preconditioner, which hands those it does not know to the network.
  ///   - attributes: the preconditioner's attributes; those that are no options are ignored.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` (`dataError`) naming the class, option or value that is not known.
  public init(
    className: String, modelClassName: String?, initKeywords: [String: PlainValue],
    attributes: [String: PlainValue] = [:],
    origin: String
  ) throws {
    let (className, modelClassName) = (Self.plain(className), modelClassName.map(Self.plain))
    guard Preconditioner.names.contains(className) else {
      throw Failure(
        .dataError, origin,
        "the network's class is \(className); the preconditioners \(Preconditioner.names.joined(separator: ", ")) are known"
      )
    }
    var options = initKeywords
    for (name, value) in attributes where Self.optionsInAttributes.contains(name) { options[name] = value }
    let declared = options.removeValue(forKey: "model_type")?.textValue.map(Self.plain)
    guard let model = modelClassName ?? declared, ["SongUNet", "DhariwalUNet"].contains(model) else {
      let found = modelClassName ?? declared ?? "missing"
      throw Failure(
        .dataError, origin,
        "the class of the network inside \(className) is \(found); SongUNet and DhariwalUNet are supported")
    }
    if let declared, declared != model {
      throw Failure(.dataError, origin, "the network is a \(model), but its option \"model_type\" says \(declared)")
    }
    // Half precision is a matter of how it was run: the weights are float32, and so are all computations here.
    options.removeValue(forKey: "use_fp16")

    var reader = OptionReader(options: options, origin: origin)
    self.init(
      defaultsOf: model, precond: className, imgResolution: try reader.required("img_resolution"),
      imgChannels: try reader.required("img_channels"))
    labelDim = try reader.integer("label_dim", or: 0)
    augmentDim = try reader.integer("augment_dim", or: 0)
    modelChannels = try reader.integer("model_channels", or: modelChannels)
    channelMult = try reader.integers("channel_mult", or: channelMult)
    channelMultEmb = try reader.integer("channel_mult_emb", or: channelMultEmb)
    numBlocks = try reader.integer("num_blocks", or: numBlocks)
    attnResolutions = try reader.integers("attn_resolutions", or: attnResolutions)
    dropout = Float(try reader.real("dropout", or: 0.1))
    labelDropout = Float(try reader.real("label_dropout", or: 0))
    if model == "SongUNet" {
      channelMultNoise = try reader.integer("channel_mult_noise", or: channelMultNoise)
      embeddingType = try reader.text("embedding_type", or: embeddingType)
      encoderType = try reader.text("encoder_type", or: encoderType)
      decoderType = try reader.text("decoder_type", or: decoderType)
      resampleFilter = try reader.integers("resample_filter", or: resampleFilter)
    }
    try readNoiseLevels(&reader)
    if let unknown = reader.options.keys.min() {
      throw Failure(
        .dataError, origin,
        "the network was made with the option \"\(unknown)\", which neither \(className) nor \(model) of EDM has")
    }
  }

  /// The options of the preconditioner.
  private mutating func readNoiseLevels(_ reader: inout OptionReader) throws {
    switch precond {
    case "VPPrecond":
      betaD = try reader.real("beta_d", or: betaD)
      betaMin = try reader.real("beta_min", or: betaMin)
      epsilonT = try reader.real("epsilon_t", or: epsilonT)
      noiseSteps = try reader.integer("M", or: noiseSteps)
    case "VEPrecond": break
    case "iDDPMPrecond":
      c1 = try reader.real("C_1", or: c1)
      c2 = try reader.real("C_2", or: c2)
      noiseSteps = try reader.integer("M", or: noiseSteps)
    default:
      sigmaData = Float(try reader.real("sigma_data", or: Double(sigmaData)))
    }
    (sigmaMin, sigmaMax) = Preconditioner.standardSigmaRange(self)
    sigmaMin = try reader.real("sigma_min", or: sigmaMin)
    sigmaMax = try reader.real("sigma_max", or: sigmaMax)
  }

  /// The options that an object tells by its attributes.
  public static let optionsInAttributes: Set = [
    "img_resolution", "img_channels", "label_dim", "label_dropout", "sigma_min", "sigma_max", "sigma_data", "beta_d",
    "beta_min", "epsilon_t", "M", "C_1", "C_2",
  ]
}

/// Takes options out of a dictionary, so that what stays behind is not known.
private struct OptionReader {
  var options: [String: PlainValue]
  let origin: String

  mutating func required(_ name: String) throws -> Int {
    guard options[name] != nil else { throw Failure(.dataError, origin, "the network's option \"\(name)\" is missing") }
    return try integer(name, or: 0)
  }

  mutating func integer(_ name: String, or standard: Int) throws -> Int {
    try take(name, or: standard, "a whole number", \.integerValue)
  }

  mutating func real(_ name: String, or standard: Double) throws -> Double {
    try take(name, or: standard, "a number", \.realValue)
  }

  mutating func text(_ name: String, or standard: String) throws -> String {
    try take(name, or: standard, "a name", \.textValue)
  }

  mutating func integers(_ name: String, or standard: [Int]) throws -> [Int] {
    try take(name, or: standard, "a list of whole numbers", \.integerValues)
  }

  private mutating func take<T>(
    _ name: String, or standard: T, _ expected: String, _ convert: (PlainValue) -> T?
  ) throws -> T {
    guard let value = options.removeValue(forKey: name) else { return standard }
    guard let converted = convert(value) else {
      throw Failure(.dataError, origin, "the network's option \"\(name)\" is \(value); expected \(expected)")
    }
    return converted
  }
}
