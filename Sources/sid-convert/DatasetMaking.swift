import Compute
import Diagnostics
import Files
import Foundation
import Images
import OptionValues
import Records
import Stage

/// Makes a data set of pictures, a few at a time in memory.
///
/// Whether all images are gray, and the numbers of their classes, is known when the last picture was read: until then the
/// pixels are kept on the disk, in a file without a name.
struct DatasetMaking {
  let pictures: StoredPictures
  let transform: PictureTransform
  /// Whether the size of the images was given; otherwise it is that of the first picture.
  let hasResolution: Bool
  let output: String
  let recorder: StepRecorder
  let provenance: Provenance
  let context: StageContext

  /// Pixels and files that are in memory at once, in bytes, unless one picture alone takes more.
  private static let batchBytes = 128 << 20

  func run() throws {
    try recorder.begin(overwrite: false)
    var course = DatasetCourse(leftOut: pictures.refused)
    let shape = try AtomicFile.publish(output) { partial in
      let pixels = try OutputFile(partial + ".pixels", isTemporary: true)
      try read(into: pixels, &course)
      let shape = try course.shape(of: pictures)
      let classes = pictures.classes.labels(of: course.converted.map(\.index))
      try write(pixels, shape, course.converted.map(\.isGray), classes?.labels, to: partial)
      // An old one goes before a draft tells of the new one.
      try AtomicFile.remove(output)
      try recorder.begin(overwrite: true)
      try recorder.keep(
        figures: [:], details: course.details(shape, pictures, classes, provenance), provenance: provenance.json)
      return shape
    }
    try recorder.publish(provenance: provenance.json, files: [output])
    course.say(shape, pictures, output: output, context)
  }

  /// Prints what it will take: every picture is looked at.
  func estimate() throws {
    var largest = 0
    var pixels = 0
    for index in pictures.names.indices {
      try StopRequest.check(output)
      guard let item = try? item(index) else { continue }
      largest = max(largest, item.memoryBytes)
      pixels += (transform.side ?? item.form.width) * (transform.side ?? item.form.width) * 3
    }
    Estimate(
      work: "make a data set of \(pictures.names.count) pictures", flops: 0,
      peakMemoryBytes: max(largest, min(Self.batchBytes, largest * batchPictures)) + 64 << 20,
      // The pixels and the zip, which holds little less.
      diskBytes: 2 * pixels + 1 << 20
    ).print()
  }

  /// A picture on its way.
  private struct Item {
    let index: Int
    let content: [UInt8]
    let form: PictureForm
    var memoryBytes: Int { content.count + form.memoryBytes }
  }

  private var batchPictures: Int { 4 * Threads.count }

  private func item(_ index: Int) throws -> Item {
    let content = try pictures.content(index)
    return Item(
      index: index, content: content,
      form: try PictureDecoder.form(of: content, subject: pictures.subject(index)))
  }

  /// Reads and resizes all pictures in their order, and keeps the pixels of those that can be.
  private func read(into pixels: OutputFile, _ course: inout DatasetCourse) throws {
    let progress = context.progress("dataset", total: pictures.names.count, unit: "pictures")
    var batch: [Result<Item, Failure>] = []
    var bytes = 0
    for index in pictures.names.indices {
      try StopRequest.check(output)
      let next = try Self.damage { try item(index) }
      let nextBytes = (try? next.get().memoryBytes) ?? 0
      if !batch.isEmpty, bytes + nextBytes > Self.batchBytes || batch.count == batchPictures {
        try convert(batch, from: index - batch.count, into: pixels, &course)
        progress.update(done: index)
        (batch, bytes) = ([], 0)
      }
      if nextBytes > Self.batchBytes / 2 {
        try Machine.requireMemory(nextBytes, for: pictures.subject(index), remedy: "scale it down, or take it out")
      }
      batch.append(next)
      bytes += nextBytes
    }
    try convert(batch, from: pictures.names.count - batch.count, into: pixels, &course)
    progress.update(done: pictures.names.count)
    progress.finish()
  }

  private func convert(
    _ batch: [Result<Item, Failure>], from first: Int, into pixels: OutputFile, _ course: inout DatasetCourse
  ) throws {
    let images = try Threads.map(batch) { next in
      switch next {
      case .failure(let failure): return Result<(shape: ImageShape, pixels: [UInt8]), Failure>.failure(failure)
      case .success(let item):
        return try Self.damage {
          try transform.apply(to: item.content, item.form, subject: pictures.subject(item.index))
        }
      }
    }
    for (offset, image) in images.enumerated() {
      let index = first + offset
      switch image {
      case .failure(let failure): course.leaveOut(pictures.names[index], failure.problem)
      case .success(let image):
        if !hasResolution { try course.requireOneSize(image.shape, pictures.subject(index)) }
        course.take(index, image.shape)
        try pixels.write(image.pixels)
      }
    }
  }

  /// What is wrong with a picture is a value; everything else ends the work.
  private static func damage<Value>(_ body: () throws -> Value) throws -> Result<Value, Failure> {
    do {
      return .success(try body())
    } catch let failure as Failure where failure.status == .dataError {
      return .failure(failure)
    }
  }

  /// Writes the zip from the pixels that were kept.
  private func write(
    _ pixels: OutputFile, _ shape: ImageShape, _ areGray: [Bool], _ labels: [Int]?, to partial: String
  ) throws {
    let progress = context.progress("write", total: areGray.count, unit: "images")
    let sink = try EDMDatasetSink(partial, hasLabels: labels != nil)
    let area = shape.height * shape.width
    var (number, rest): (Int, [UInt8]) = (0, [])
    try pixels.forEachBlock { block in
      try StopRequest.check(output)
      rest += block
      var place = 0
      var images: [ArraySlice<UInt8>] = []
      while number + images.count < areGray.count {
        let count = areGray[number + images.count] ? area : 3 * area
        guard place + count <= rest.count else { break }
        images.append(rest[place..<place + count])
        place += count
      }
      let files = try Threads.map(images) { image in
        let isWidened = shape.channels == 3 && image.count == area
        let whole = isWidened ? (0..<3 * area).map { image[image.startIndex + $0 / 3] }[...] : image
        return (pixels: whole, png: try PNGEncoder.encode(whole, shape: shape))
      }
      for file in files {
        try sink.add(
          ExportedImage(index: number, seed: 0, label: labels?[number], pixels: file.pixels, png: file.png))
        number += 1
      }
      rest.removeFirst(place)
      progress.update(done: number)
    }
    guard number == areGray.count else {
      throw Failure(.ioError, output, "\(number) of \(areGray.count) images were read back")
    }
    try sink.finish()
    progress.finish()
  }
}
