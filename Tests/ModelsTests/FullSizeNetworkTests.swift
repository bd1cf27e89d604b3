import Foundation
import Models
import TestSupport
import Testing

/// The published networks by their names and shapes: their weights would be too large for a fixture.
@Suite("The state_dict of every published architecture")
struct FullSizeNetworkTests {
  /// One network of the list.
  struct Published: Decodable {
    let configuration: NetworkConfiguration
    let parameterCount: Int
    let tensors: [Entry]

    private enum CodingKeys: String, CodingKey {
      case configuration = "config"
      case parameterCount = "num_parameters"
      case tensors
    }
  }

  /// [name, shape, "parameter" or "buffer"].
  struct Entry: Decodable, Equatable, CustomStringConvertible {
    let name: String
    let shape: [Int]
    let isTrainable: Bool

    init(_ specification: ParameterSpecification) {
      (name, shape, isTrainable) = (specification.name, specification.shape, specification.isTrainable)
    }

    init(from decoder: any Decoder) throws {
      var fields = try decoder.unkeyedContainer()
      name = try fields.decode(String.self)
      shape = try fields.decode([Int].self)
      isTrainable = try fields.decode(String.self) == "parameter"
    }

    var description: String { "\(name) \(shape)" }
  }

  static func published() throws -> [String: Published] {
    let path = Fixtures.path("golden/full_size_networks_names_and_shapes.json")
    return try JSONDecoder().decode([String: Published].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  @Test("Names, shapes and order")
  func tensors() throws {
    let published = try Self.published()
    #expect(published.count == 5)
    for (name, network) in published {
      let entries = try Network.specifications(of: network.configuration, origin: name).map(Entry.init)
      #expect(entries.count == network.tensors.count, "\(name)")
      for (entry, expected) in zip(entries, network.tensors) { #expect(entry == expected, "\(name)") }
      #expect(entries.reduce(0) { $0 + ($1.isTrainable ? $1.shape.reduce(1, *) : 0) } == network.parameterCount)
    }
  }

  @Test("ADM's has the class's defaults and, written and read again, is the same")
  func dhariwalDefaults() throws {
    let configuration = try #require(try Self.published()["imagenet_64x64_cond_adm"]).configuration
    #expect(configuration.modelType == "DhariwalUNet" && configuration.labelDim == 1000)
    #expect(configuration.numBlocks == 3 && configuration.attnResolutions == [32, 16, 8])
    #expect(configuration.channelMultEmb == 4 && configuration.dropout == 0.1 && configuration.labelDropout == 0)
    let text = try JSONEncoder().encode(configuration)
    #expect(!String(decoding: text, as: UTF8.self).contains("encoder_type"))
    #expect(try JSONDecoder().decode(NetworkConfiguration.self, from: text) == configuration)
  }
}
