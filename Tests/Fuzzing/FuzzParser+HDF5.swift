import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Models
import Scoring
import TestSupport
import Training

/// The reader of this package's own files.
extension FuzzParser {
  static func hdf5() throws -> FuzzParser {
    FuzzParser(
      name: "hdf5",
      knownRecords: [
        "superblock", "object header", "continuation", "fractal heap", "B-tree 2", "B-tree 1", "sid-network",
        "sid-features", "sid-statistics", "sid-statistics-part", "sid-samples", "sid-training-state", "global heap",
      ] + messageNames.values.sorted(),
      seeds: try ownFiles(),
      mutate: { bytes, _, random in HDF5Image.mutate(bytes, &random) }, records: { hdf5Records($0) },
      read: { path in
        // What the virtual data sets of the seeds name.
        let shard = (path as NSString).deletingLastPathComponent + "/" + shardName
        if !FileManager.default.fileExists(atPath: shard) { try writeShard(shard) }
        try readHDF5(path)
      })
  }

  /// A small file of every format.
  private static func ownFiles() throws -> [[UInt8]] {
    let folder = try TemporaryFolder()
    func written(_ body: (HDF5File) throws -> Void) throws -> [UInt8] {
      try HDF5File.publish(folder.file("x.h5"), body)
      return Array(try Data(contentsOf: URL(fileURLWithPath: folder.file("x.h5"))))
    }
    let json = """
      {"precond":"EDMPrecond","model_type":"SongUNet","img_resolution":8,"img_channels":1,"model_channels":4,\
      "channel_mult":[1],"num_blocks":1,"attn_resolutions":[]}
      """
    let configuration = try JSONDecoder().decode(NetworkConfiguration.self, from: Data(json.utf8))
    let network = try Network(
      configuration: configuration, source: try RandomParameters(for: configuration, seed: 1, origin: "fuzz"),
      origin: "fuzz")
    let stamp = #"{"program":"sid-fuzz"}"#
    return [
      try written { try network.write(to: $0) },
      try written { try TrainingState(teacher: network, settings: DistillationSettings()).write(to: $0) },
      try written { file in
        try file.root.setFormat(HDF5Format("sid-statistics"))
        try file.root.setAttribute("num_images", 9)
        try file.root.setAttribute("feature_network", "0")
        try file.root.setAttribute("provenance", stamp)
        try file.root.write([0.5, 1.0], shape: [2], to: "mu")
        try file.root.write([1.0, 0.0, 0.0, 1.0], shape: [2, 2], to: "sigma")
      },
      try written { file in
        try file.root.setFormat(HDF5Format("sid-statistics-part"))
        for (name, value) in [
          ("first_image", 0), ("num_images", 6), ("total_images", 6), ("num_features", 2),
        ] { try file.root.setAttribute(name, value) }
        try file.root.setAttribute("images", ["0"])
        try file.root.setAttribute("feature_network", "0")
        try file.root.setAttribute("input_convention", "tensorflow")
        try file.root.write([6.0, 0.5, 1, 1, 0, 1], shape: [1, 6], to: "segments")
        try file.root.write([Float](repeating: 0.5, count: 12), shape: [6, 2], to: "features")
      },
      try written { file in
        try file.root.setFormat(HDF5Format("sid-samples"))
        let sources = [HDF5VirtualSource(file: shardName, rows: 6)]
        try file.root.createVirtualDataset("images", of: UInt8.self, shape: [6, 4, 4, 3], sources: sources, fill: 0)
        try file.root.createVirtualDataset("seeds", of: UInt64.self, shape: [6], sources: sources, fill: .max)
      },
      try written { file in
        try file.root.setFormat(HDF5Format("sid-samples"))
        let pixels = (0..<(6 * 4 * 4 * 3)).map { UInt8(truncatingIfNeeded: $0) }
        try file.root.write(
          pixels, shape: [6, 4, 4, 3], to: "images", storage: .chunked(rows: 2, checksum: true, deflate: nil))
        try file.root.write([UInt64](0..<6), shape: [6], to: "seeds")
        try file.root.write(
          [Int64](0..<6), shape: [6], to: "labels", storage: .chunked(rows: 4, checksum: true, deflate: 6))
      },
      try written { try features().write(to: $0) },
    ]
  }

  private static let shardName = "shard.h5"

  private static func writeShard(_ path: String) throws {
    try HDF5File.publish(path) { file in
      try file.root.write([UInt8](repeating: 7, count: 6 * 4 * 4 * 3), shape: [6, 4, 4, 3], to: "images")
      try file.root.write([UInt64](0..<6), shape: [6], to: "seeds")
    }
  }

  private static func features() throws -> FeatureNetwork {
    let json = """
      {"img_resolution":4,"img_channels":1,"layers":[{"type":"flatten"},\
      {"type":"linear","name":"fc","outputs":3,"output":"features"}]}
      """
    return try FeatureNetwork(
      configuration: FeatureNetworkConfiguration(json: json, origin: "fuzz"),
      source: Constants(shapes: ["fc.weight": [3, 16], "fc.bias": [3]]), origin: "fuzz")
  }

  private struct Constants: TensorSource {
    let shapes: [String: [Int]]
    var tensorNames: [String] { shapes.keys.sorted() }
    func shape(of name: String) -> [Int]? { shapes[name] }
    func tensor(_ name: String) throws -> Tensor { Tensor(shape: shapes[name] ?? [], repeating: 0.5) }
  }

  private static let messageNames: [Int: String] = [
    1: "message data space", 2: "message link info", 3: "message data type", 5: "message fill value",
    6: "message link", 8: "message layout", 10: "message group info", 11: "message filters", 12: "message attribute",
    16: "message continuation", 21: "message attribute info",
  ]

  private static func hdf5Records(_ bytes: [UInt8]) -> [Record] {
    var names = ["superblock"]
    var place = 0
    while place + 8 < bytes.count {
      // Every signature consists of capital letters.
      guard bytes[place] > 0x40, bytes[place] < 0x5B else {
        if bytes[place] == UInt8(ascii: "s"), bytes.has(Array("sid-".utf8), at: place) {
          let text = bytes[place..<min(place + 24, bytes.count)].prefix { $0 >= 0x2D && $0 < 0x7F }
          names.append(String(decoding: text, as: UTF8.self))
        }
        place += 1
        continue
      }
      for (signature, name) in [
        ("OHDR", "object header"), ("OCHK", "continuation"), ("FRHP", "fractal heap"), ("BTHD", "B-tree 2"),
        ("TREE", "B-tree 1"), ("SNOD", "symbol table"), ("HEAP", "local heap"), ("GCOL", "global heap"),
      ] where bytes.has(Array(signature.utf8), at: place) {
        names.append(name)
        if signature == "OHDR" { names += messages(bytes, at: place) }
      }
      place += 1
    }
    return names.map { Record(name: $0, place: 0) }
  }

  private static func messages(_ bytes: [UInt8], at start: Int) -> [String] {
    let flags = bytes.number(at: start + 5, count: 1)
    let width = 1 << (flags & 3)
    var place = start + 6 + (flags & 0x20 != 0 ? 16 : 0) + (flags & 0x10 != 0 ? 4 : 0)
    let end = min(bytes.count, place + width + bytes.number(at: place, count: width))
    place += width
    var names: [String] = []
    while place >= 0, place + 4 <= end {
      if let name = messageNames[bytes.number(at: place, count: 1)] { names.append(name) }
      place += 4 + bytes.number(at: place + 1, count: 2) + (flags & 4 != 0 ? 2 : 0)
    }
    return names
  }

  /// Reads a file in every way that a program of this package does.
  private static func readHDF5(_ path: String) throws {
    let file = try HDF5File.open(path)
    var walk = Walk()
    walk.visit(file.root, depth: 0)
    if let failure = walk.failure { throw failure }
    switch try file.root.formatName() {
    case Network.format.name: _ = try Network(contentsOf: path)
    case FeatureNetwork.format.name: _ = try FeatureNetwork(contentsOf: path)
    case FeatureStatistics.format.name: _ = try FeatureStatistics(contentsOf: path)
    case StatisticsPart.format.name: _ = try StatisticsMerge([path])
    case TrainingState.format.name:
      _ = try TrainingState(
        reading: file, networks: TrainingState.distillationNetworks,
        cut: MicroBatches(batch: 4, microbatch: 2, maximumGroups: 16))
    default:
      let images = try ImageCollection(path)
      for start in stride(from: 0, to: min(images.count, 64), by: 4) {
        _ = try images.images(start..<min(start + 4, images.count))
      }
    }
  }

  /// Every object that can be reached, up to a number.
  private struct Walk {
    var failure: (any Error)?
    private var budget = 300

    mutating func visit(_ group: HDF5Group, depth: Int) {
      guard depth < 8 else { return }
      for attribute in ["format", "config", "provenance", "feature_network", "curve"]
      where group.hasAttribute(attribute) {
        attempt { _ = try group.stringAttribute(attribute) }
      }
      for attribute in ["format_version", "num_images", "images_seen", "beta1"] where group.hasAttribute(attribute) {
        attempt { _ = try group.doubleAttribute(attribute) }
      }
      for name in group.names.prefix(200) {
        budget -= 1
        guard budget > 0 else { return }
        do {
          if let inner = try? group.group(name) {
            visit(inner, depth: depth + 1)
            continue
          }
          let dataset = try group.dataset(name)
          switch dataset.elementType {
          case .floatingPoint: _ = try dataset.read(Double.self)
          case .signedInteger, .unsignedInteger: _ = try dataset.read(Int64.self)
          case .string: _ = try dataset.strings()
          case .other: break
          }
        } catch { failure = failure ?? error }
      }
    }

    private mutating func attempt(_ body: () throws -> Void) {
      do { try body() } catch { failure = failure ?? error }
    }
  }
}
