import Diagnostics
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
    #expect([dataset.shape.channels, dataset.shape.height, dataset.shape.width] == Array(images.shape.dropFirst()))
    #expect(try dataset.images().next(1000) == channelsLast(images.read(UInt8.self), images.shape))
    #expect(dataset.labelDimension == (try recorded.intAttribute("label_dim")))
    #expect(
      try recorded.stringAttribute("file_names").contains(dataset.names.map { "\"\($0)\"" }.joined(separator: ", ")))
    if recorded.contains("labels") {
      #expect(try dataset.labels == recorded.dataset("labels").read(Int64.self).map { Int($0) })
    } else {
      #expect(dataset.labels == nil)
    }
  }

  @Test(
    "Images are read in pieces and from the middle alike",
    arguments: [
      "tiny_rgb_8x8", "tiny_gray_16x16_deflated_nolabels",
    ])
  func pieces(name: String) throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("golden/dataset/\(name).zip"))
    let all = try dataset.images().next(dataset.count)
    let reader = try dataset.images()
    var pieces: [UInt8] = []
    while true {
      let piece = try reader.next(5)
      if piece.isEmpty { break }
      pieces += piece
    }
    #expect(pieces == all)
    #expect(try dataset.images(from: 4).next(1) == Array(all[4 * dataset.shape.count..<5 * dataset.shape.count]))
    #expect(try dataset.images(from: dataset.count).next(1) == [])
  }

  @Test("An archive in another order is read in the order of the names' bytes")
  func outOfOrder() throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.path("images/out_of_order.zip"))
    #expect(dataset.names == ["a/10.png", "a/9.png", "b/2.png"])
    #expect(dataset.labels == [0, 4, 1])
    #expect(dataset.labelDimension == 5)
    #expect(try dataset.images().next(3) == [10, 9, 2].flatMap { [UInt8](repeating: $0, count: 16) })
  }

  @Test("The digits: 1,797 images of ten classes with the known mean")
  func digits() throws {
    let dataset = try ImageDataset(contentsOf: Fixtures.digits("digits-8x8.zip"))
    #expect(dataset.count == 1797)
    #expect(dataset.labelDimension == 10)
    let pixels = try dataset.images().next(1797).map { Double($0) / 127.5 - 1 }
    let mean = pixels.reduce(0, +) / Double(pixels.count)
    #expect(abs(mean - -0.389) < 0.001)
  }

  @Test(
    "What is no data set is refused when it is opened",
    arguments: [
      "label_missing", "label_fraction", "label_negative", "labels_not_json", "jpeg", "no_images", "same_name_twice",
      "truncated",
    ])
  func refusedAtOnce(name: String) throws {
    let failure = #expect(throws: Failure.self) { try ImageDataset(contentsOf: Fixtures.path("images/\(name).zip")) }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(name) == true)
  }

  @Test("Damage in an image is found when it is read", arguments: ["two_sizes", "wrong_checksum", "declares_4GB"])
  func refusedWhenRead(name: String) throws {
    let failure = #expect(throws: Failure.self) {
      try ImageDataset(contentsOf: Fixtures.path("images/\(name).zip")).images().next(10)
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
