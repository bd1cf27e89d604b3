import Archives
import Diagnostics
import Foundation
import HDF5
import Images
import OptionValues
import Sampling
import TestSupport
import Testing

@Suite("Exports")
struct ExportTests {
  let folder: TemporaryFolder
  let reader: SampleReader
  let images: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    _ = try SampleArchive(
      network: AnalyticDenoiser(), networkPath: "n.h5",
      recipe: SampleRecipe(sampler: .oneStep(OneStepSampler()), seeds: SeedList("990-1012,7")), batch: 8, shardSize: 10
    ).write(to: folder.file("a.h5"), provenance: "{}", createdBy: "t 1")
    reader = try SampleReader(folder.file("a.h5"))
    images = try reader.images(0..<24)
  }

  private func export(_ format: ArchiveExport.Format, subdirs: Bool = false, replacing: Bool = false) throws -> String {
    let path = folder.file("out")
    let export = ArchiveExport(format, subdirs: subdirs, imagesPerTar: 10)
    #expect(try export.write(reader, to: path, replacing: replacing, createdBy: "t 1"))
    #expect(!FileManager.default.fileExists(atPath: path + ".partial"))
    return path
  }

  private func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

  private func image(_ index: Int) -> [UInt8] { Array(images[index * 72..<(index + 1) * 72]) }

  @Test("EDM's zip comes back as a data set with the same pixels and labels")
  func edmZip() throws {
    let path = try export(.edmZip)
    let dataset = try ImageDataset(contentsOf: path)
    #expect(dataset.images.names.first?.description == "00000/img00000000.png" && dataset.count == 24)
    #expect(try dataset.labels() == reader.labels(0..<24))
    #expect(try dataset.images.images(0..<24) == images)
  }

  @Test("The npz holds arr_0 and arr_1 as numpy writes them")
  func npz() throws {
    let content = try bytes(export(.npz))
    func array(_ name: String) throws -> (header: String, data: ArraySlice<UInt8>) {
      let data = Data(content)
      let entry = try #require(data.range(of: Data(name.utf8))).upperBound
      let start = try #require(data.range(of: Data([0x93] + "NUMPY".utf8), in: entry..<data.endIndex)).lowerBound
      let length = Int(content[start + 8]) + Int(content[start + 9]) << 8
      #expect((length + 10) % 64 == 0)
      return (
        String(decoding: content[start + 10..<start + 10 + length], as: UTF8.self), content[(start + 10 + length)...]
      )
    }
    let pixels = try array("arr_0.npy")
    #expect(pixels.header.hasPrefix("{'descr': '|u1', 'fortran_order': False, 'shape': (24, 4, 6, 3,), }"))
    #expect(Array(pixels.data.prefix(images.count)) == images)
    let labels = try array("arr_1.npy")
    #expect(labels.header.hasPrefix("{'descr': '<i8', 'fortran_order': False, 'shape': (24,), }"))
    let expected = try #require(try reader.labels(0..<24))
    #expect((0..<24).map { Int(labels.data[labels.data.startIndex + 8 * $0]) } == expected)
  }

  @Test("WebDataset's tars hold png, cls and json of each image under one key")
  func webDataset() throws {
    let path = try export(.webdataset)
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(names == ["a-000000.tar", "a-000001.tar", "a-000002.tar"])
    var index = 0
    let labels = try #require(try reader.labels(0..<24))
    let seeds = try reader.seeds(0..<24)
    for name in names {
      let tar = try bytes(path + "/" + name)
      var place = 0
      var entries: [(name: String, content: [UInt8])] = []
      while tar[place] != 0 {
        let name = String(decoding: tar[place..<place + 100].prefix { $0 != 0 }, as: UTF8.self)
        let digits = String(decoding: tar[place + 124..<place + 136].prefix { $0 >= 0x30 }, as: UTF8.self)
        let size = try #require(Int(digits, radix: 8))
        entries.append((name, Array(tar[place + 512..<place + 512 + size])))
        place += 512 + (size + 511) / 512 * 512
      }
      for start in stride(from: 0, to: entries.count, by: 3) {
        let key = "\(String(repeating: "0", count: 7))\(index < 10 ? "0" : "")\(index)"
        #expect(entries[start..<start + 3].map(\.name) == ["\(key).png", "\(key).cls", "\(key).json"])
        #expect(try PNGDecoder.decode(entries[start].content, subject: key).pixels == image(index))
        #expect(entries[start + 1].content == Array("\(labels[index])".utf8))
        #expect(entries[start + 2].content == Array("{\"seed\": \(seeds[index])}".utf8))
        index += 1
      }
    }
    #expect(index == 24)
  }

  @Test("PNG files are named by their seeds, in folders by thousand", arguments: [false, true])
  func png(subdirs: Bool) throws {
    let path = try export(.png, subdirs: subdirs)
    for (index, seed) in try reader.seeds(0..<24).enumerated() {
      let name = String(repeating: "0", count: 6 - "\(seed)".count) + "\(seed).png"
      let file = (subdirs ? (seed < 1000 ? "000000/" : "001000/") : "") + name
      #expect(try PNGDecoder.decode(bytes(path + "/" + file), subject: name).pixels == image(index))
    }
    #expect(FileManager.default.fileExists(atPath: path + "/dataset.json"))
    // Again in its place, with nothing of the old one left.
    try Data().write(to: URL(fileURLWithPath: path + "/stray"))
    _ = try export(.png, subdirs: subdirs, replacing: true)
    #expect(!FileManager.default.fileExists(atPath: path + "/stray"))
    #expect(!FileManager.default.fileExists(atPath: path + ".old"))
  }

  @Test("One HDF5 file without shards")
  func hdf5() throws {
    let whole = try SampleReader(export(.hdf5))
    #expect(whole.shards == nil)
    #expect(try whole.images(0..<24) == images)
    #expect(try whole.labels(0..<24) == reader.labels(0..<24))
    #expect(try whole.seeds(0..<24) == reader.seeds(0..<24))
  }

  @Test("Stopped, an export leaves nothing behind", arguments: ArchiveExport.Format.allCases)
  func stopped(format: ArchiveExport.Format) throws {
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(try !ArchiveExport(format).write(reader, to: folder.file("out"), createdBy: "t", shouldStop: { true }))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
  }
}
