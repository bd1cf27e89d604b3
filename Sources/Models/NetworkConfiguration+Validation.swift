import Diagnostics

extension NetworkConfiguration {
  /// Checks every field's range, so that an architecture can be laid out without a file's numbers being trusted.
  /// - Throws: a `Failure` (`dataError`) naming the field.
  public func validate(origin: String) throws {
    func require(_ condition: Bool, _ problem: String) throws {
      if !condition { throw Failure(.dataError, origin, problem) }
    }
    try require(
      Preconditioner.names.contains(precond),
      "preconditioner \"\(precond)\" is not known; \(Preconditioner.names.joined(separator: ", ")) are")
    try require(
      ["positional", "fourier"].contains(embeddingType),
      "embedding_type \"\(embeddingType)\" is not positional or fourier")
    try require(
      ["standard", "skip", "residual"].contains(encoderType),
      "encoder_type \"\(encoderType)\" is not standard, skip or residual")
    try require(
      ["standard", "skip"].contains(decoderType), "decoder_type \"\(decoderType)\" is not standard or skip")
    try require(
      (1...16).contains(channelMult.count), "channel_mult has \(channelMult.count) levels, 1 to 16 expected")
    try require(
      channelMult.allSatisfy { (1...64).contains($0) }, "channel_mult \(channelMult) has a multiple outside 1...64")
    try require(
      (1...4096).contains(modelChannels) && modelChannels % 4 == 0,
      "model_channels \(modelChannels) is not a multiple of 4 up to 4096")
    try require((0...64).contains(numBlocks), "num_blocks \(numBlocks) is outside 0...64")
    try require(
      (1...64).contains(channelMultEmb) && (1...64).contains(channelMultNoise),
      "channel_mult_emb or channel_mult_noise is outside 1...64")
    try require((1...1024).contains(imgChannels), "img_channels \(imgChannels) is outside 1...1024")
    try require(
      (1...4096).contains(imgResolution) && imgResolution % (1 << (channelMult.count - 1)) == 0,
      "img_resolution \(imgResolution) cannot be halved \(channelMult.count - 1) times")
    try require(
      (0...1_000_000).contains(labelDim) && (0...1024).contains(augmentDim),
      "label_dim or augment_dim is out of range")
    try require(
      (2...16).contains(resampleFilter.count) && resampleFilter.allSatisfy { (-1000...1000).contains($0) }
        && resampleFilter.count % 2 == 0 && resampleFilter == resampleFilter.reversed()
        && resampleFilter.reduce(0, { ($0 + $1) }) > 0,
      "resample_filter \(resampleFilter) is not symmetric, of even length and positive sum")
    try require(
      sigmaData > 0 && sigmaData.isFinite, "sigma_data \(sigmaData) is not a positive number")
    try require(
      betaD > 0 && betaD <= 1000 && betaMin >= 0 && betaMin <= 1000,
      "beta_d \(betaD) and beta_min \(betaMin) are not rates of noise up to 1000")
    try require((0..<1).contains(epsilonT), "epsilon_t \(epsilonT) is outside 0..<1")
    try require(
      Preconditioner.stepLimits.contains(noiseSteps), "M \(noiseSteps) is outside \(Preconditioner.stepLimits)")
    try require(c1 > 0 && c1 < 1, "C_1 \(c1) is not between 0 and 1")
    try require(c2 >= 0 && c2 <= 1, "C_2 \(c2) is outside 0...1")
    try require(
      !sigmaMin.isNaN && !sigmaMax.isNaN && sigmaMin <= sigmaMax,
      "sigma_min \(sigmaMin) and sigma_max \(sigmaMax) are not a range")
    try require(sigmaMin >= 0, "sigma_min \(sigmaMin) is negative")
    try require((0..<1).contains(dropout), "dropout \(dropout) is outside 0..<1")
    try require((0...1).contains(labelDropout), "label_dropout \(labelDropout) is outside 0...1")
  }
}
