/// Two images of the same size beside each other in their channels, [N, H, W, A] and [N, H, W, B], before anybody has copied
/// them into one.
///
/// What reads pixel by pixel, a normalization or a 1x1 convolution, reads both where they are: a copy would take memory and up to
/// a few hundredths of the time of a network whose decoder joins channels in every block.
struct JoinedChannels: Sendable {
  let left: Tensor
  let right: Tensor

  var count: Int { left.count + right.count }

  /// Copies both into one, [N, H, W, A + B].
  func copy(into target: UnsafeMutablePointer<Float>) {
    let counted = WorkCount.begin(.channels)
    defer { counted?.end() }
    let (leftChannels, rightChannels) = (left.shape[3], right.shape[3])
    let channels = leftChannels + rightChannels
    let (a, b) = (left.pointer, right.pointer)
    forEachRange(left.count / max(leftChannels, 1), floats: channels) { range in
      for pixel in range {
        copyFloats(a + pixel * leftChannels, to: target + pixel * channels, count: leftChannels)
        copyFloats(b + pixel * rightChannels, to: target + pixel * channels + leftChannels, count: rightChannels)
      }
    }
  }
}

/// Neighbouring channels of images, in memory of their own.
struct ChannelPart {
  /// [N, H, W, channels.count].
  let pointer: UnsafePointer<Float>
  /// Which channels of the images they are.
  let channels: Range<Int>
}

extension Tensor {
  /// Calls `body` with the channels of images, [N, H, W, C], where they are in memory now: in two parts if they were joined and
  /// nobody has asked for them in one.
  func withChannelParts<R>(_ body: ([ChannelPart]) -> R) -> R {
    guard let joined else {
      return withExtendedLifetime(self) { body([ChannelPart(pointer: pointer, channels: 0..<(shape.last ?? 0))]) }
    }
    return withExtendedLifetime(joined) {
      let border = joined.left.shape[3]
      return body([
        ChannelPart(pointer: joined.left.pointer, channels: 0..<border),
        ChannelPart(pointer: joined.right.pointer, channels: border..<border + joined.right.shape[3]),
      ])
    }
  }
}

/// Joins two images of the same size along their channels: [N, H, W, A] and [N, H, W, B] to [N, H, W, A + B].
///
/// They are copied when somebody asks for the elements; `groupNorm` and `convolution` by a 1x1 kernel do not.
public func concatenateChannels(_ a: Tensor, _ b: Tensor) -> Tensor {
  precondition(
    a.shape.count == 4 && b.shape.count == 4 && a.shape.dropLast() == b.shape.dropLast(), "\(a.shape) beside \(b.shape)"
  )
  return Tensor(JoinedChannels(left: a, right: b))
}
