import Foundation
import KernelInterface

/// An affine map of the plane: (x, y) to (xx x + xy y + tx, yx x + yy y + ty).
public struct AffineMap: Sendable, Equatable {
  var xx = 1.0, xy = 0.0, tx = 0.0
  var yx = 0.0, yy = 1.0, ty = 0.0

  /// Leaves every point where it is.
  public static let identity = AffineMap()

  /// Multiplies the coordinates.
  public static func scale(_ x: Double, _ y: Double) -> AffineMap { AffineMap(xx: x, yy: y) }

  /// Turns by `angle` radians: [cos, -sin; sin, cos].
  public static func rotation(_ angle: Double) -> AffineMap {
    AffineMap(xx: cos(angle), xy: -sin(angle), yx: sin(angle), yy: cos(angle))
  }

  /// Adds to the coordinates.
  public static func translation(_ x: Double, _ y: Double) -> AffineMap { AffineMap(tx: x, ty: y) }

  /// The product of the matrices: `b`, then `a`.
  public static func * (a: AffineMap, b: AffineMap) -> AffineMap {
    AffineMap(
      xx: a.xx * b.xx + a.xy * b.yx, xy: a.xx * b.xy + a.xy * b.yy, tx: a.xx * b.tx + a.xy * b.ty + a.tx,
      yx: a.yx * b.xx + a.yy * b.yx, yy: a.yx * b.xy + a.yy * b.yy, ty: a.yx * b.tx + a.yy * b.ty + a.ty)
  }

  func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
    (xx * x + xy * y + tx, yx * x + yy * y + ty)
  }

  /// Where the corners of a rectangle around the origin go.
  func corners(halfWidth: Double, halfHeight: Double) -> [(x: Double, y: Double)] {
    [(-1.0, -1.0), (1, -1), (1, 1), (-1, 1)].map { self($0 * halfWidth, $1 * halfHeight) }
  }

  var isFinite: Bool { [xx, xy, tx, yx, yy, ty].allSatisfy(\.isFinite) }
}

/// What is done to one image.
public struct ImageWarp: Sendable {
  /// Whether the image is mirrored first, left to right.
  public var flipsX = false
  /// Whether the image is mirrored first, top to bottom.
  public var flipsY = false
  /// Where each pixel of the output comes from, in pixels from the centre of the image.
  public var source = AffineMap.identity

  /// The image as it is.
  public init() {}
}

/// Reflected pixels around an image; beyond them it counts as zero.
public struct ReflectPadding: Sendable, Equatable {
  /// Pixels on each side.
  public let left: Int, right: Int, top: Int, bottom: Int

  /// What several images of one size need so that each is covered: the farthest overhang of their corners on each side
  /// and the reach of the filter, at most all but one pixel of the image.
  public init(covering warps: [ImageWarp], height: Int, width: Int) {
    let (centreX, centreY) = (Double(width - 1) / 2, Double(height - 1) / 2)
    let corners = warps.flatMap { $0.source.corners(halfWidth: centreX, halfHeight: centreY) }
    func margin(_ farthest: Double?, _ centre: Double, _ size: Int) -> Int {
      let overhang = (farthest ?? 0) + Double(WarpFilter.reach) - centre
      return Int(min(max(overhang, 0), Double(size - 1)).rounded(.up))
    }
    left = margin(corners.map { -$0.x }.max(), centreX, width)
    right = margin(corners.map(\.x).max(), centreX, width)
    top = margin(corners.map { -$0.y }.max(), centreY, height)
    bottom = margin(corners.map(\.y).max(), centreY, height)
  }
}

/// Images under affine maps, resampled without aliasing: each is padded by reflection, sampled at twice its resolution, and
/// filtered back (Karras et al. 2020, arXiv 2006.06676, appendix B).
///
/// An image depends on its own warp and the padding alone. There is no gradient: no training here needs one.
/// - Parameters:
///   - images: [N, H, W, C].
///   - warps: one for each image.
/// - Returns: [N, H, W, C].
public func warped(_ images: Tensor, _ warps: [ImageWarp], padding: ReflectPadding) -> Tensor {
  let counted = WorkCount.begin(.resampling)
  defer { counted?.end() }
  precondition(
    images.shape.count == 4 && images.shape[0] == warps.count && warps.allSatisfy(\.source.isFinite),
    "\(warps.count) warps for \(images.shape)")
  let (height, width, channels) = (images.shape[1], images.shape[2], images.shape[3])
  precondition(
    max(padding.left, padding.right) < width && max(padding.top, padding.bottom) < height,
    "\(padding) around \(images.shape)")
  let size = height * width * channels
  let result = Tensor(uninitialized: images.shape)
  Threads.forEach(warps.count) { n in
    let shape = WarpShape(warps[n], padding, height: height, width: width, channels: channels)
    let scratch = Tensor(uninitialized: [shape.scratchFloats])
    kernels.warp.apply(shape, images.pointer + n * size, into: result.mutable + n * size, scratch: scratch.mutable)
  }
  return result
}

/// Images mirrored as their warps say; the rest of the warps is left out.
/// - Parameter images: [N, H, W, C].
public func flipped(_ images: Tensor, _ warps: [ImageWarp]) -> Tensor {
  let counted = WorkCount.begin(.resampling)
  defer { counted?.end() }
  precondition(images.shape.count == 4 && images.shape[0] == warps.count, "\(warps.count) warps for \(images.shape)")
  let (height, width, channels) = (images.shape[1], images.shape[2], images.shape[3])
  let result = Tensor(uninitialized: images.shape)
  Threads.forEach(warps.count) { n in
    for y in 0..<height {
      let row = (n * height + (warps[n].flipsY ? height - 1 - y : y)) * width
      for x in 0..<width {
        let pixel = row + (warps[n].flipsX ? width - 1 - x : x)
        copyFloats(
          images.pointer + pixel * channels, to: result.mutable + ((n * height + y) * width + x) * channels,
          count: channels)
      }
    }
  }
  return result
}

/// The most that warping costs: floating-point operations of an image, and floats that each thread works in.
public func warpCost(height: Int, width: Int, channels: Int) -> (flops: Double, scratchFloats: Int) {
  let farthest = ReflectPadding(left: width - 1, right: width - 1, top: height - 1, bottom: height - 1)
  var warp = ImageWarp()
  warp.source = .scale(3, 3)
  let shape = WarpShape(warp, farthest, height: height, width: width, channels: channels)
  // Six taps to double, two bilinear steps and twelve taps to halve, for at most nine times four pixels.
  return (Double(12 * shape.scratchFloats), shape.scratchFloats)
}

extension ReflectPadding {
  fileprivate init(left: Int, right: Int, top: Int, bottom: Int) {
    (self.left, self.right, self.top, self.bottom) = (left, right, top, bottom)
  }
}

extension WarpShape {
  /// The map from the output at twice the resolution, with the reach of the filter around it, to the doubled image.
  fileprivate init(_ warp: ImageWarp, _ padding: ReflectPadding, height: Int, width: Int, channels: Int) {
    let (columns, rows) = (width + WarpFilter.reach, height + WarpFilter.reach)
    // Pixel j has its centre at j + 1/2 from the left edge. Doubling puts the image's own centre half a pixel off.
    let half = AffineMap.translation(-0.5, -0.5)
    let doubled = half * .scale(2, 2) * warp.source * .scale(0.5, 0.5) * .translation(0.5, 0.5)
    let map =
      .translation(Double(width) - 0.5, Double(height) - 0.5) * doubled
      * .translation(0.5 - Double(columns), 0.5 - Double(rows))
    let corners = [(0, 0), (2 * columns - 1, 0), (0, 2 * rows - 1), (2 * columns - 1, 2 * rows - 1)].map {
      map(Double($0), Double($1))
    }
    let (xs, ys) = (corners.map(\.x), corners.map(\.y))
    self.init(
      horizontal: .init(
        size: width, before: padding.left, after: padding.right, isFlipped: warp.flipsX,
        reached: (xs.min() ?? 0)...(xs.max() ?? 0)),
      vertical: .init(
        size: height, before: padding.top, after: padding.bottom, isFlipped: warp.flipsY,
        reached: (ys.min() ?? 0)...(ys.max() ?? 0)),
      channels: channels,
      positions: .init(xx: map.xx, xy: map.xy, x: map.tx, yx: map.yx, yy: map.yy, y: map.ty))
  }
}
