import Compute
import Foundation
import TestSupport
import Testing

import Models

@Suite("Networks begin as the official ones do")
struct InitialParametersTests {
  static let architectures = ["ddpmpp", "ncsnpp", "adm"]

  /// What the official initialisation is recorded as having, of one tensor.
  struct Expected {
    let kind: String, bound: Double, officialMaximum: Double
  }

  static func recorded(_ architecture: String) throws -> (
    configuration: NetworkConfiguration, tensors: [String: Expected]
  ) {
    let file = try Recorded("golden/training/initial_weights.h5")
    let group = try file.root.group(architecture)
    let names = try JSONDecoder().decode([String].self, from: Data(try group.stringAttribute("names").utf8))
    let numbers = try file.numbers(architecture + "/statistics")
    let kinds = ["uniform", "zero", "one", "normal"]
    var tensors: [String: Expected] = [:]
    for (row, name) in names.enumerated() {
      let of = Array(numbers[8 * row..<8 * row + 8])
      let kind = kinds.indices.contains(Int(of[6])) ? kinds[Int(of[6])] : ""
      tensors[name] = Expected(kind: kind, bound: of[7], officialMaximum: max(abs(of[2]), abs(of[3])))
    }
    var options = try JSONDecoder().decode([String: AnyJSON].self, from: Data(try group.stringAttribute("config").utf8))
    options["precond"] = .text("EDMPrecond")
    let text = try JSONEncoder().encode(options)
    return (try JSONDecoder().decode(NetworkConfiguration.self, from: text), tensors)
  }

  enum AnyJSON: Codable {
    case number(Double), text(String), numbers([Double])
    init(from decoder: any Decoder) throws {
      let c = try decoder.singleValueContainer()
      if let value = try? c.decode(Double.self) {
        self = .number(value)
      } else if let value = try? c.decode(String.self) {
        self = .text(value)
      } else {
        self = .numbers(try c.decode([Double].self))
      }
    }
    func encode(to encoder: any Encoder) throws {
      var c = encoder.singleValueContainer()
      switch self {
      case .number(let value): try c.encode(value)
      case .text(let value): try c.encode(value)
      case .numbers(let value): try c.encode(value)
      }
    }
  }

  @Test("Kind, bound, mean and deviation of every tensor", arguments: architectures)
  func statistics(architecture: String) throws {
    let (configuration, expected) = try Self.recorded(architecture)
    for seed: UInt64 in [0, 1, 20_404] {
      let source = try InitialParameters(for: configuration, seed: seed, origin: architecture)
      #expect(Set(source.tensorNames) == Set(expected.keys.filter { !$0.hasSuffix("resample_filter") }))
      for name in source.tensorNames {
        let want = try #require(expected[name], "\(name)")
        let values = try source.tensor(name).values.map(Double.init)
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n).squareRoot()
        let largest = values.map(abs).max() ?? 0
        switch want.kind {
        case "zero": #expect(largest == 0, "\(name)")
        case "one": #expect(values.allSatisfy { $0 == 1 }, "\(name)")
        case "uniform":
          let d = want.bound / 3.0.squareRoot()
          #expect(largest <= want.bound * (1 + 1e-6) && want.officialMaximum <= want.bound * (1 + 1e-6), "\(name)")
          #expect(abs(mean) <= 5 * d / n.squareRoot() && abs(deviation - d) <= 5 * d / n.squareRoot(), "\(name)")
        case "normal":
          let d = want.bound
          #expect(abs(mean) <= 5 * d / n.squareRoot() && abs(deviation - d) <= 5 * d / n.squareRoot(), "\(name)")
        default: Issue.record("\(name): kind \(want.kind)")
        }
      }
    }
  }

  @Test("They depend on the seed and on nothing else; no two tensors have the same draws")
  func seeds() throws {
    let configuration = try Self.recorded("ddpmpp").configuration
    let one = try Network(configuration: configuration, initialSeed: 7, origin: "a")
    Threads.use(1)
    let same = try Network(configuration: configuration, initialSeed: 7, origin: "b")
    Threads.use(2)
    let other = try Network(configuration: configuration, initialSeed: 8, origin: "c")
    for index in one.specifications.indices {
      #expect(one.parameters[index].values == same.parameters[index].values)
    }
    let drawn = one.specifications.indices.filter { Set(one.parameters[$0].values).count > 2 }
    #expect(drawn.count > 20)
    var beginnings: Set<[Float]> = []
    for index in drawn where one.specifications[index].name.hasSuffix("conv0.weight") {
      #expect(one.stateDictTensor(index).values != other.stateDictTensor(index).values)
      let values = one.stateDictTensor(index).values
      let bound = values.map(abs).max() ?? 1
      #expect(beginnings.insert(values.prefix(8).map { ($0 / bound * 1e3).rounded() }).inserted)
    }
    let x = Tensor(Philox(seed: 3).normals(2 * 16 * 16 * 3, stream: (0, 0)), shape: [2, 16, 16, 3])
    let d = one.denoise(x, sigma: [1])
    #expect(d.isFinite)
    // The output convolution is all but zero: D is c_skip x.
    #expect(Distance(d.values, x.values.map { $0 * 0.2 }).relative < 1e-3)
  }
}
