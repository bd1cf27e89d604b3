/// The architecture and preconditioning of a diffusion network, by EDM's field names.
///
/// Stored as the JSON attribute `config` of a network file (keys in snake_case, as EDM spells them).
public struct NetworkConfiguration: Codable, Sendable, Equatable {
  /// The preconditioner class: "EDMPrecond", "VPPrecond", "VEPrecond" or "iDDPMPrecond".
  public var precond: String
  /// The inner network's class: "SongUNet" or "DhariwalUNet".
  public var modelType: String
  /// Image height and width in pixels.
  public var imgResolution: Int
  /// Image channels.
  public var imgChannels: Int
  /// Number of classes; 0 for an unconditional network.
  public var labelDim: Int = 0
  /// Length of the augmentation label vector; 0 for none.
  public var augmentDim: Int = 0
  /// Channels of the first level.
  public var modelChannels: Int = 128
  /// Channels of each level as a multiple of `modelChannels`, full resolution first.
  public var channelMult: [Int] = [1, 2, 2, 2]
  /// Width of the embedding as a multiple of `modelChannels`.
  public var channelMultEmb: Int = 4
  /// Width of the noise embedding as a multiple of `modelChannels` (SongUNet).
  public var channelMultNoise: Int = 1
  /// Residual blocks per level.
  public var numBlocks: Int = 4
  /// Resolutions with self-attention.
  public var attnResolutions: [Int] = [16]
  /// Dropout probability of the residual blocks in training.
  public var dropout: Float = 0.1
  /// Probability of dropping the class label in training.
  public var labelDropout: Float = 0
  /// "positional" or "fourier" (SongUNet).
  public var embeddingType: String = "positional"
  /// "standard", "skip" or "residual" (SongUNet).
  public var encoderType: String = "standard"
  /// "standard" or "skip" (SongUNet).
  public var decoderType: String = "standard"
  /// The separable resampling filter (SongUNet; DhariwalUNet always has [1, 1]).
  public var resampleFilter: [Int] = [1, 1]
  /// Standard deviation of the training images (EDMPrecond).
  public var sigmaData: Float = 0.5
  /// Growth of the noise rate, beta_d (VPPrecond).
  public var betaD: Double = 19.9
  /// Noise rate at the beginning, beta_min (VPPrecond).
  public var betaMin: Double = 0.1
  /// The first time of training, epsilon_t (VPPrecond).
  public var epsilonT: Double = 1e-5
  /// Steps of the original time scale, M (VPPrecond, iDDPMPrecond).
  public var noiseSteps: Int = 1000
  /// Least ratio of successive signal levels, C_1 (iDDPMPrecond).
  public var c1: Double = 0.001
  /// Offset of the cosine schedule, C_2 (iDDPMPrecond).
  public var c2: Double = 0.008
  /// Smallest supported noise level.
  public var sigmaMin: Double = 0
  /// Largest supported noise level; infinity is not stored.
  public var sigmaMax: Double = .infinity

  /// The noise levels that the network supports.
  public var sigmaRange: ClosedRange<Double> { sigmaMin...max(sigmaMin, sigmaMax) }

  /// Channels that the inner network gives: iDDPM's predict a variance as well, which is not used.
  var outputChannels: Int { precond == "iDDPMPrecond" ? 2 * imgChannels : imgChannels }
}

extension NetworkConfiguration {
  /// The defaults of EDM's classes `modelType` and `precond`.
  package init(defaultsOf modelType: String, precond: String, imgResolution: Int, imgChannels: Int) {
    self.init(precond: precond, modelType: modelType, imgResolution: imgResolution, imgChannels: imgChannels)
    if modelType == "DhariwalUNet" {
      modelChannels = 192
      channelMult = [1, 2, 3, 4]
      numBlocks = 3
      attnResolutions = [32, 16, 8]
    }
    (sigmaMin, sigmaMax) = Preconditioner.standardSigmaRange(self)
  }

  /// The process that VPPrecond stands for.
  public var variancePreserving: VariancePreserving {
    VariancePreserving(betaD: betaD, betaMin: betaMin, steps: noiseSteps, firstTime: epsilonT)
  }

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case precond
    case modelType = "model_type"
    case imgResolution = "img_resolution"
    case imgChannels = "img_channels"
    case labelDim = "label_dim"
    case augmentDim = "augment_dim"
    case modelChannels = "model_channels"
    case channelMult = "channel_mult"
    case channelMultEmb = "channel_mult_emb"
    case channelMultNoise = "channel_mult_noise"
    case numBlocks = "num_blocks"
    case attnResolutions = "attn_resolutions"
    case dropout
    case labelDropout = "label_dropout"
    case embeddingType = "embedding_type"
    case encoderType = "encoder_type"
    case decoderType = "decoder_type"
    case resampleFilter = "resample_filter"
    case sigmaData = "sigma_data"
    case betaD = "beta_d"
    case betaMin = "beta_min"
    case epsilonT = "epsilon_t"
    case noiseSteps = "M"
    case c1 = "C_1"
    case c2 = "C_2"
    case sigmaMin = "sigma_min"
    case sigmaMax = "sigma_max"
  }

  /// Reads the fields by EDM's names; a field that is missing has the default of EDM's class.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    func value<T: Decodable>(_ key: CodingKeys, or standard: T) throws -> T {
      try fields.decodeIfPresent(T.self, forKey: key) ?? standard
    }
    self.init(
      defaultsOf: try fields.decode(String.self, forKey: .modelType),
      precond: try fields.decode(String.self, forKey: .precond),
      imgResolution: try fields.decode(Int.self, forKey: .imgResolution),
      imgChannels: try fields.decode(Int.self, forKey: .imgChannels))
    labelDim = try value(.labelDim, or: labelDim)
    augmentDim = try value(.augmentDim, or: augmentDim)
    modelChannels = try value(.modelChannels, or: modelChannels)
    channelMult = try value(.channelMult, or: channelMult)
    channelMultEmb = try value(.channelMultEmb, or: channelMultEmb)
    channelMultNoise = try value(.channelMultNoise, or: channelMultNoise)
    numBlocks = try value(.numBlocks, or: numBlocks)
    attnResolutions = try value(.attnResolutions, or: attnResolutions)
    dropout = try value(.dropout, or: dropout)
    labelDropout = try value(.labelDropout, or: labelDropout)
    embeddingType = try value(.embeddingType, or: embeddingType)
    encoderType = try value(.encoderType, or: encoderType)
    decoderType = try value(.decoderType, or: decoderType)
    resampleFilter = try value(.resampleFilter, or: resampleFilter)
    sigmaData = try value(.sigmaData, or: sigmaData)
    betaD = try value(.betaD, or: betaD)
    betaMin = try value(.betaMin, or: betaMin)
    epsilonT = try value(.epsilonT, or: epsilonT)
    noiseSteps = try value(.noiseSteps, or: noiseSteps)
    c1 = try value(.c1, or: c1)
    c2 = try value(.c2, or: c2)
    (sigmaMin, sigmaMax) = Preconditioner.standardSigmaRange(self)
    sigmaMin = try value(.sigmaMin, or: sigmaMin)
    sigmaMax = try value(.sigmaMax, or: sigmaMax)
  }

  /// Writes every field that the two classes have by EDM's name; an infinite `sigma_max` is left out.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(precond, forKey: .precond)
    try fields.encode(modelType, forKey: .modelType)
    try fields.encode(imgResolution, forKey: .imgResolution)
    try fields.encode(imgChannels, forKey: .imgChannels)
    try fields.encode(labelDim, forKey: .labelDim)
    try fields.encode(augmentDim, forKey: .augmentDim)
    try fields.encode(modelChannels, forKey: .modelChannels)
    try fields.encode(channelMult, forKey: .channelMult)
    try fields.encode(channelMultEmb, forKey: .channelMultEmb)
    try fields.encode(numBlocks, forKey: .numBlocks)
    try fields.encode(attnResolutions, forKey: .attnResolutions)
    try fields.encode(dropout, forKey: .dropout)
    try fields.encode(labelDropout, forKey: .labelDropout)
    if modelType == "SongUNet" {
      try fields.encode(channelMultNoise, forKey: .channelMultNoise)
      try fields.encode(embeddingType, forKey: .embeddingType)
      try fields.encode(encoderType, forKey: .encoderType)
      try fields.encode(decoderType, forKey: .decoderType)
      try fields.encode(resampleFilter, forKey: .resampleFilter)
    }
    switch precond {
    case "VPPrecond":
      try fields.encode(betaD, forKey: .betaD)
      try fields.encode(betaMin, forKey: .betaMin)
      try fields.encode(epsilonT, forKey: .epsilonT)
      try fields.encode(noiseSteps, forKey: .noiseSteps)
    case "iDDPMPrecond":
      try fields.encode(c1, forKey: .c1)
      try fields.encode(c2, forKey: .c2)
      try fields.encode(noiseSteps, forKey: .noiseSteps)
    case "VEPrecond": break
    default: try fields.encode(sigmaData, forKey: .sigmaData)
    }
    try fields.encode(sigmaMin, forKey: .sigmaMin)
    if sigmaMax.isFinite { try fields.encode(sigmaMax, forKey: .sigmaMax) }
  }
}
