import Diagnostics
import Files
import Foundation
import HDF5
import Images
import Testing
import TestSupport

@Suite struct ImageDatasetTests {
  /// NHWC from NCHW.
  private func channelsLast(_ pixels: [UInt8], _ shape: [Int]) -> [UInt8] {
    let (c, h, w) = (shape[1], shape[2], shape[3])
    return (0..<pixels.count).map { index in
      let n = index / (c * h * w)
      let rest = index % (c * h * w)
      return pixels[n * c * h * w + (rest % c) * h * w + rest / c]
    }
  }

  /// The number of classes: the largest label and one; 0 without labels.
  private func dimension(_ dataset: ImageDataset) throws -> Int {
    try dataset.labels().map { ($0.max() ?? -1) + 1 } ?? 0
  }

  @Test(
    "Pixels, labels and order are those that the official reader gives",
    arguments: [
      "tiny_rgb_32x32", "tiny_rgb_16x16", "tiny_rgb_8x8", "tiny_gray_16x16_deflated_nolabels",
    ])
  func golden(name: String) throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("golden/dataset/\(name).zip"))
    let recorded = try HDF5File.open(Fixtures.path("golden/dataset/decoded_pixels.h5")).root.group(name)
    let images = try recorded.dataset("images_nchw_uint8")
    #expect(dataset.count == images.shape[0])
    let shape = dataset.images.shape
    #expect([shape.channels, shape.height, shape.width] == Array(images.shape.dropFirst()))
    #expect(try dataset.images.images(0..<dataset.count) == channelsLast(images.read(UInt8.self), images.shape))
    #expect(try dimension(dataset) == recorded.intAttribute("label_dim"))
    #expect(
      try recorded.stringAttribute("file_names").contains(
        dataset.images.names.map { "\"\($0)\"" }.joined(separator: ", ")))
    if recorded.contains("labels") {
      #expect(try dataset.labels() == recorded.dataset("labels").read(Int64.self).map { Int($0) })
    } else {
      #expect(try dataset.labels() == nil)
    }
  }

  @Test(
    "Images are read in pieces and from the middle alike",
    arguments: [
      "tiny_rgb_8x8", "tiny_gray_16x16_deflated_nolabels",
    ])
  func pieces(name: String) throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("golden/dataset/\(name).zip"))
    let images = dataset.images
    let all = try images.images(0..<dataset.count)
    var pieces: [UInt8] = []
    for first in stride(from: 0, to: dataset.count, by: 5) {
      pieces += try images.images(first..<min(first + 5, dataset.count))
    }
    #expect(pieces == all)
    #expect(try images.images(4..<5) == Array(all[4 * images.shape.count..<5 * images.shape.count]))
    #expect(try images.images(dataset.count..<dataset.count) == [])
  }

  @Test("An archive in another order is read in the order of the names' bytes")
  func outOfOrder() throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("images/out_of_order.zip"))
    #expect(dataset.images.names.map(\.description) == ["a/10.png", "a/9.png", "b/2.png"])
    #expect(try dataset.labels() == [0, 4, 1])
    #expect(try dimension(dataset) == 5)
    #expect(try dataset.images.images(0..<3) == [10, 9, 2].flatMap { [UInt8](repeating: $0, count: 16) })
  }

  @Test("The digits: 1,797 images of ten classes with the known mean")
  func digits() throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.digits("digits-8x8.zip"))
    #expect(dataset.count == 1797)
    #expect(try dimension(dataset) == 10)
    let pixels = try dataset.images.images(0..<1797).map { Double($0) / 127.5 - 1 }
    let mean = pixels.reduce(0, +) / Double(pixels.count)
    #expect(abs(mean - -0.389) < 0.001)
  }

  @Test(
    "What is no data set is refused when it is opened",
    arguments: ["jpeg", "no_images", "same_name_twice", "truncated"])
  func refusedAtOnce(name: String) throws {
    let failure = #expect(throws: Failure.self) { try ImageDataset(contentsOf: Fixtures.path("images/\(name).zip")) }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(name) == true)
  }

  @Test(
    "Labels that are none are refused where labels are asked for, and nobody else reads them",
    arguments: [
      ("label_missing", "no label for image"), ("label_fraction", "1.5"), ("label_negative", "-1"),
      ("labels_not_json", "not a JSON object"),
    ])
  func refusedLabels(name: String, words: String) throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("images/\(name).zip"))
    #expect(try dataset.images.images(0..<dataset.count).count == dataset.count * dataset.images.shape.count)
    let failure = #expect(throws: Failure.self) { try dataset.labels() }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(name) == true)
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
  }

  @Test("Labels match names by their bytes, behind a byte order mark, with the slashes of Windows; lists are refused")
  func labelForms() throws {
    let folder = try TemporaryFolder()
    func labels(_ json: String, _ names: [String]) throws -> [Int]? {
      let images = try names.enumerated().map { MadeArchive.Entry($1, try MadeImage.png($0)) }
      try folder.write(MadeArchive.zip(images + [.init("dataset.json", Array(json.utf8))]), to: "x.zip")
      return try ImageDataset(contentsOf: folder.file("x.zip")).labels()
    }
    // The same letter in two forms of Unicode: two names.
    let names = ["e\u{301}.png", "\u{E9}.png"]
    let both = "[[\"e\u{301}.png\", 3], [\"\u{E9}.png\", 4]]"
    #expect(try labels("{\"labels\": \(both)}", names) == [3, 4])
    #expect(try labels("\u{FEFF}{\"labels\": [[\"a\\\\0.png\", 2]]}", ["a/0.png"]) == [2])
    #expect(try labels("\u{FEFF}{\"labels\": null}", ["a.png"]) == nil)
    let list = #expect(throws: Failure.self) { try labels("{\"labels\": [[\"0.png\", [1.0, 0.5]]]}", ["0.png"]) }
    #expect(list?.description.contains("the label of 0.png is a list of 2") == true, "\(list?.description ?? "")")
    let one = #expect(throws: Failure.self) { try labels("{\"labels\": [[\"\u{E9}.png\", 4]]}", names) }
    #expect(one?.description.contains("no label for image e\u{301}.png") == true, "\(one?.description ?? "")")
  }

  @Test("Damage in an image is found when it is read", arguments: ["two_sizes", "wrong_checksum", "declares_4GB"])
  func refusedWhenRead(name: String) throws {
    let failure = #expect(throws: Failure.self) {
      let images = try ImageDataset(contentsOf: Fixtures.path("images/\(name).zip")).images
      _ = try images.images(0..<images.count)
    }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains("1.png") == true)
  }

  @Test("Missing files, folders and other files each have their own message")
  func foreign() throws {
    let missing = #expect(throws: Failure.self) { try ImageDataset(contentsOf: Fixtures.path("none.zip")) }
    #expect(missing?.status == .noInput)
    for name in ["images", "hdf5/types.h5", "images/rgba.png"] {
      let failure = #expect(throws: Failure.self) { try ImageDataset(contentsOf: Fixtures.path(name)) }
      #expect(failure?.status == .dataError)
    }
  }
}
