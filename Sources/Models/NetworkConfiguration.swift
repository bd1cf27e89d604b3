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
  /// The separable resampling filter.
  public var resampleFilter: [Int] = [1, 1]
  /// Standard deviation of the training images (EDMPrecond).
  public var sigmaData: Float = 0.5
  /// Smallest supported noise level.
  public var sigmaMin: Double = 0
  /// Largest supported noise level; infinity is stored as null.
  public var sigmaMax: Double = .infinity
}
