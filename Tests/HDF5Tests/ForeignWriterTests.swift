import Diagnostics
import HDF5
import Testing
import TestSupport

/// Files that h5py wrote.
@Suite struct ForeignWriterTests {
  private func types() throws -> HDF5Group { try HDF5File.open(Fixtures.path("hdf5/types.h5")).root }

  @Test("Numbers of other widths and byte orders are converted")
  func numbers() throws {
    let root = try types()
    #expect(try root.dataset("float16").read(Float.self) == [1.5, -2, 0.25, 1024])
    #expect(try root.dataset("float16").elementType == .floatingPoint(bytes: 2))
    #expect(try root.dataset("bigendian").read(Int32.self) == [1, -2, 300])
    #expect(try root.dataset("int8").read(Int64.self) == [-1, 2])
    #expect(try root.dataset("gzip").read(Int64.self) == (0..<1000).map { Int64($0) })
    #expect(try root.dataset("gzip").read(Int64.self, rows: 250..<252) == [250, 251])
    #expect(try root.dataset("scalar").read(Double.self) == [2.5])
  }

  @Test("Fractions are not cut to integers, and what is no number is not read as one")
  func refusedConversions() throws {
    let root = try types()
    #expect(throws: Failure.self) { try root.dataset("float16").read(Int32.self) }
    #expect(throws: Failure.self) { try root.dataset("bool").read(UInt8.self) }
    #expect(throws: Failure.self) { try root.dataset("fixed").read(Float.self) }
    #expect(throws: Failure.self) { try root.dataset("scalar").strings() }
  }

  @Test("Strings of fixed and variable length, and attributes")
  func strings() throws {
    let root = try types()
    #expect(try root.dataset("variable").strings() == ["a", "", "Grüße"])
    #expect(try root.dataset("fixed").strings() == ["one", "three", ""])
    #expect(try root.intsAttribute("list") == [1, 2, 3])
    #expect(try root.stringAttribute("fixed") == "text")
    #expect(try root.stringsAttribute("names") == ["x", "yy"])
    #expect(try root.doubleAttribute("pi") == 3.25)
    #expect(try root.intAttribute("n") == 7)
    #expect(try root.group("g").stringAttribute("deep") == "yes")
  }

  @Test("The recorded networks: configuration, index of activations, arrays")
  func goldenNetworks() throws {
    let root = try HDF5File.open(Fixtures.path("golden/nets/edm_ddpmpp_cond.h5")).root
    #expect(try root.stringAttribute("config").contains("\"label_dim\": 10"))
    let index = try root.dataset("activations_index").strings()
    #expect(index.contains("model.map_layer0"))
    let x = try root.dataset("inputs/x")
    #expect(x.shape.count == 4)
    #expect(try x.read(Float.self).count == x.count)
    #expect(try x.read(Float.self).allSatisfy { abs($0) < 1000 })
  }

  @Test("Recorded integers are gzip-compressed")
  func goldenIntegers() throws {
    let root = try HDF5File.open(Fixtures.path("golden/dataset/decoded_pixels.h5")).root
    let images = try root.dataset("tiny_rgb_16x16/images_nchw_uint8")
    #expect(images.shape == [16, 3, 16, 16])
    #expect(try images.read(UInt8.self, rows: 5..<6) == Array(images.read(UInt8.self)[5 * 768..<6 * 768]))
    #expect(try root.dataset("tiny_gray_16x16_deflated_nolabels/labels_onehot").read(Float.self) == [])
  }
}
