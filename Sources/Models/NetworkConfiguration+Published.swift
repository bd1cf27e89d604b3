extension NetworkConfiguration {
  /// The names of `published`, in the order in which they are listed to people.
  public static let publishedNames = [
    "cifar10", "cifar10-cond", "cifar10-ncsnpp", "ffhq64", "imagenet64", "digits",
  ]

  /// The architecture of a network that was published or that belongs to this repository.
  ///
  /// `cifar10`, `cifar10-cond` (DDPM++), `cifar10-ncsnpp`, `ffhq64` (also AFHQv2; DDPM++) and `imagenet64` (ADM) are the
  /// teachers of EDM (Karras et al. 2022, arXiv 2206.00364), with the dropout that SiD distills them with; `digits` is the
  /// teacher in `pipeline/digits`.
  /// - Parameter name: one of `publishedNames`; any other gives nil.
  public static func published(_ name: String) -> NetworkConfiguration? {
    switch name {
    case "cifar10": cifar10
    case "cifar10-cond": cifar10.with { $0.labelDim = 10 }
    case "cifar10-ncsnpp":
      cifar10.with {
        $0.embeddingType = "fourier"
        $0.encoderType = "residual"
        $0.channelMultNoise = 2
        $0.resampleFilter = [1, 3, 3, 1]
      }
    case "ffhq64":
      cifar10.with {
        $0.imgResolution = 64
        $0.channelMult = [1, 2, 2, 2]
        $0.dropout = 0.05
      }
    case "imagenet64":
      NetworkConfiguration(
        defaultsOf: "DhariwalUNet", precond: "EDMPrecond", imgResolution: 64, imgChannels: 3
      ).with { $0.labelDim = 1000 }
    case "digits":
      NetworkConfiguration(precond: "EDMPrecond", modelType: "SongUNet", imgResolution: 8, imgChannels: 1).with {
        $0.labelDim = 10
        $0.modelChannels = 32
        $0.channelMult = [1, 1]
        $0.numBlocks = 1
        $0.attnResolutions = [4]
        $0.dropout = 0
      }
    default: nil
    }
  }

  private static var cifar10: NetworkConfiguration {
    NetworkConfiguration(precond: "EDMPrecond", modelType: "SongUNet", imgResolution: 32, imgChannels: 3).with {
      $0.augmentDim = 9
      $0.channelMult = [2, 2, 2]
      $0.dropout = 0.13
    }
  }

  private func with(_ change: (inout NetworkConfiguration) -> Void) -> NetworkConfiguration {
    var result = self
    change(&result)
    return result
  }
}
