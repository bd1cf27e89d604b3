import Compute
import Distillation
import TestSupport
import Testing
import TrainingData

@Suite("EDM's augmentation pipeline", .serialized)
struct AugmentationTests {
  static let cases = ["only_aniso", "only_translate_frac", "only_xflip", "p0.12", "p0.15", "p1.0", "p1.0_64_gray"]

  /// A case of the recorded pipeline: its settings, draws and images.
  struct Case {
    let recorded: Recorded
    let pipeline: AugmentationPipeline
    let draws: [AugmentationDraws]
    let images: Tensor

    init(_ name: String) throws {
      recorded = try Recorded("golden/augment/augment_pipe.h5")
      let group = try recorded.root.group(name)
      func factor(_ name: String) throws -> Float {
        group.hasAttribute(name) ? Float(try group.doubleAttribute(name)) : 0
      }
      var pipeline = AugmentationPipeline(probability: try factor("p"))
      (pipeline.xFlip, pipeline.yFlip) = (try factor("xflip"), try factor("yflip"))
      (pipeline.scale, pipeline.rotation) = (try factor("scale"), try factor("rotate_frac"))
      (pipeline.anisotropy, pipeline.translation) = (try factor("aniso"), try factor("translate_frac"))
      self.pipeline = pipeline
      draws = try recorded.augmentationDraws(name + "/draws", try recorded.names(name + "/draws"), pipeline)
      images = try recorded.images(name + "/images_in")
    }

    var augmentation: Augmentation { pipeline(draws, imageShape: Array(images.shape.dropFirst())) }
  }

  @Test("equals the official one: images, labels, padding", arguments: cases)
  func golden(name: String) throws {
    let c = try Case(name)
    let augmentation = c.augmentation
    #expect(augmentation.labels.shape == (try c.recorded.tensor(name + "/augment_labels").shape))
    let labels = Distance(augmentation.labels.values, try c.recorded.tensor(name + "/augment_labels").values)
    #expect(labels.maximum <= 1e-6, "labels: \(labels)")
    let output = augmentation(c.images).nchw.values
    let images = Distance(output, try c.recorded.tensor(name + "/images_out").values)
    #expect(images.maximum <= 1e-4, "images: \(images)")
    if c.recorded.contains(name + "/images_out_fp64") {
      let exact = Distance(output, try c.recorded.tensor(name + "/images_out_fp64").values)
      #expect(exact.maximum <= 1e-5, "images in double precision: \(exact)")
    }
    guard let padding = augmentation.padding else { return }
    let recorded = try c.recorded.numbers(name + "/intermediate/pad_x0_x1_y0_y1")
    for (a, b) in zip([padding.left, padding.right, padding.top, padding.bottom], recorded) {
      // A margin that is a whole number may round up by one more.
      #expect(abs(Double(a) - b) <= 1, "padding \(padding), \(recorded) expected")
    }
  }

  @Test("gives an image the same bytes whatever is beside it in the micro-batch, and on any number of threads")
  func independence() throws {
    let c = try Case("p1.0")
    let augmentation = c.augmentation
    defer { Threads.use(2) }
    Threads.use(1)
    let whole = augmentation(c.images)
    Threads.use(3)
    #expect(augmentation(c.images).values == whole.values)
    for range in [0..<2, 2..<3, 3..<6] {
      #expect(augmentation.images(range)(c.images.rows(range)).values == whole.rows(range).values)
      #expect(augmentation.images(range).labels.values == augmentation.labels.rows(range).values)
    }
  }

  @Test("treats every channel alike, however many there are", arguments: [1, 2, 4, 5])
  func channels(count: Int) throws {
    let c = try Case("p1.0")
    // Planes of three images at once, as channels of one.
    let planes = c.images.nchw.reshaped([18, 16, 16])
    let shape = [1, count, 16, 16]
    let images = planes.rows(0..<count).reshaped(shape).nhwc
    let augmentation = c.augmentation.images(4..<5)
    let together = augmentation(images).nchw.values
    for channel in 0..<count {
      let alone = augmentation(planes.rows(channel..<channel + 1).reshaped([1, 1, 16, 16]).nhwc).values
      #expect(Array(together[channel * 256..<(channel + 1) * 256]) == alone)
    }
  }

  @Test("leaves an image that no transformation hits as it is: the filters cancel each other")
  func untouched() throws {
    let c = try Case("p1.0")
    var pipeline = AugmentationPipeline(probability: 0)
    pipeline.xFlip = 0
    let augmentation = pipeline(c.draws, imageShape: [16, 16, 3])
    #expect(augmentation.labels.values.allSatisfy { $0 == 0 })
    #expect(Distance(augmentation(c.images).values, c.images.values).maximum < 2e-6)
  }

  @Test("mirrors exactly, and a quarter turn and a shift by whole pixels move pixels where they belong")
  func moves() throws {
    var pipeline = AugmentationPipeline(probability: 1)
    (pipeline.scale, pipeline.anisotropy) = (0, 0)
    var draws = AugmentationDraws()
    draws.rotation = 0.75  // a quarter turn
    draws.translation = (2, 0)  // two eighths of the width
    var image = Tensor(shape: [1, 8, 8, 1])
    image.withUnsafeMutableBufferPointer { $0[3 * 8 + 2] = 1 }
    let turned = pipeline([draws], imageShape: [8, 8, 1])
    #expect(turned.labels.values.count == 6)
    let moved = turned(image).values
    // (x, y) = (2, 3) is (-1.5, -0.5) from the centre; turned (-0.5, 1.5), shifted (1.5, 1.5).
    let largest = moved.indices.max { moved[$0] < moved[$1] }
    #expect(largest == 5 * 8 + 5 && moved[5 * 8 + 5] > 0.9, "\(moved)")
    var flips = AugmentationPipeline(probability: 1)
    (flips.scale, flips.rotation, flips.anisotropy, flips.translation) = (0, 0, 0, 0)
    (draws.xFlip, draws.yFlip) = (true, true)
    let mirrored = flips([draws], imageShape: [8, 8, 1])
    #expect(mirrored.padding == nil && mirrored.labels.values == [1, 1])
    #expect(mirrored(image).values == image.values.reversed())
  }

  @Test("draws by image number alone, with the probability that is asked for; the border is that of the batch")
  func draws() throws {
    func augmentation(batch: Int, imagesSeen: Int, images: Range<Int>) throws -> Augmentation {
      var settings = DistillationSettings()
      (settings.seed, settings.batch, settings.augment) = (9, batch, 0.12)
      let source = try #require(SeededAugmentations(settings, imageShape: [8, 8, 1]))
      return source.augmentation(imagesSeen: imagesSeen, images: images)
    }
    let whole = try augmentation(batch: 4000, imagesSeen: 8000, images: 0..<4000)
    let part = try augmentation(batch: 4000, imagesSeen: 8000, images: 100..<110)
    #expect(part.labels.values == whole.labels.rows(100..<110).values && part.padding == whole.padding)
    let shifted = try augmentation(batch: 2000, imagesSeen: 8100, images: 0..<10)
    #expect(shifted.labels.values == part.labels.values)
    let labels = whole.labels.values
    func share(_ label: Int) -> Double { Double((0..<4000).count { labels[$0 * 9 + label] != 0 }) / 4000 }
    #expect(abs(share(0) - 0.5) < 0.03)
    #expect(abs(share(1) - 0.06) < 0.015)
    for label in [2, 3, 4, 5, 7, 8] { #expect(abs(share(label) - 0.12) < 0.02, "label \(label): \(share(label))") }
    #expect(abs(share(6) - 0.06) < 0.015)
    // Normals have unit variance among the images that were moved.
    let scales = (0..<4000).map { labels[$0 * 9 + 2] }.filter { $0 != 0 }
    #expect(abs(scales.reduce(0) { $0 + $1 * $1 } / Float(scales.count) - 1) < 0.2)
  }

  @Test("keeps within the memory that is foreseen, whatever the draws")
  func extremes() {
    var draws = AugmentationDraws()
    (draws.scale, draws.anisotropy, draws.anisotropyAngle, draws.rotation) = (-40, 30, 0.3, 0.6)
    draws.translation = (50, -50)
    let images = Tensor(shape: [2, 6, 6, 3], repeating: 1)
    var still = draws
    (still.scale, still.anisotropy) = (6, -6)
    let output = AugmentationPipeline(probability: 1)([draws, still], imageShape: [6, 6, 3])(images)
    #expect(output.isFinite)
  }
}
