import Autograd
import Compute
import Foundation
import TestSupport
import Testing

import Models

@Suite("Preconditioners")
struct PreconditionerTests {
  @Test("iDDPM's levels are those of the file, follow from M, C_1 and C_2, and are found again")
  func discreteLevels() throws {
    let network = try loadNetwork("golden/checkpoints/iddpm_adm_cond.pkl")
    #expect(network.specifications[0].name == "u" && !network.specifications[0].isTrainable)
    let table = network.stateDictTensor(0).values
    #expect(table.count == 1001 && table[1000] == 0)
    let check = try Recorded("golden/nets/iddpm_adm_cond.h5").numbers("weights_check/u")
    #expect(abs(table.reduce(0.0) { $0 + Double($1) } / check[0] - 1) < 1e-12)

    let derived = try Network(configuration: network.configuration, randomSeed: 1, origin: "random").stateDictTensor(0)
    #expect(zip(derived.values, table).allSatisfy { abs($0 - $1) <= 1e-3 * $1 })
    for (index, level) in table.enumerated() where index % 37 == 0 || index > 990 {
      #expect(network.roundSigma(Double(level)) == Double(level))
      #expect(network.roundSigma(Double(level) * 1.0001) == Double(level))
    }
    #expect(network.roundSigma(0.002) == 0 && network.roundSigma(1e9) == Double(table[0]))
    let bound = network.bound()
    #expect(bound.nearestSigma(0.002) == table[999] && bound.nearestSigma(1e9) == table[0])
  }

  @Test("A table that the configuration does not give is refused, one that is left out is computed")
  func foreignTable() throws {
    struct Source: TensorSource {
      let network: Network
      let table: [Float]?
      var tensorNames: [String] { network.specifications.map(\.name).filter { $0 != "u" || table != nil } }
      func shape(of name: String) -> [Int]? {
        tensorNames.contains(name) ? network.specifications.first { $0.name == name }?.shape : nil
      }
      func tensor(_ name: String) throws -> Tensor {
        if name == "u", let table { return Tensor(table, shape: [table.count]) }
        let index = try #require(network.specifications.firstIndex { $0.name == name })
        return network.stateDictTensor(index)
      }
    }
    let network = try loadNetwork("golden/checkpoints/iddpm_adm_cond.pkl")
    let table = network.stateDictTensor(0).values
    func load(_ table: [Float]?) throws -> Network {
      try Network(
        configuration: network.configuration, source: Source(network: network, table: table), origin: "x.h5")
    }
    #expect(try load(table).stateDictTensor(0).values == table)
    #expect(try load(nil).roundSigma(3) > 0)
    for wrong in [Array(table.reversed()), table.map { $0 * 2 }, [.nan] + table.dropFirst()] {
      #expect { _ = try load(wrong) } throws: { "\($0)".contains("M, C_1 and C_2") }
    }
  }

  @Test("The ranges of noise levels where a file says nothing are the official ones")
  func standardRanges() throws {
    func range(_ precond: String) throws -> ClosedRange<Double> {
      let text = """
        {"precond": "\(precond)", "model_type": "SongUNet", "img_resolution": 8, "img_channels": 3}
        """
      return try JSONDecoder().decode(NetworkConfiguration.self, from: Data(text.utf8)).sigmaRange
    }
    #expect(try range("EDMPrecond") == 0...Double.infinity)
    #expect(try range("VPPrecond") == 0.0009765625...152.16697692871094)
    #expect(try range("VEPrecond") == 0.02...100)
    let iddpm = try range("iDDPMPrecond")
    #expect(abs(iddpm.lowerBound / 0.006422337144613266 - 1) < 1e-6)
    #expect(abs(iddpm.upperBound / 20291.171875 - 1) < 1e-5)
  }

  @Test("Configurations keep their preconditioner's fields in a file, and only those")
  func fields() throws {
    for (name, has, hasNot) in [
      ("vp_ddpmpp_uncond", ["beta_d", "beta_min", "epsilon_t", "M"], ["sigma_data", "C_1"]),
      ("ve_ncsnpp_uncond", ["sigma_min", "sigma_max"], ["sigma_data", "beta_d", "M"]),
      ("iddpm_adm_cond", ["C_1", "C_2", "M"], ["sigma_data", "beta_d", "encoder_type"]),
      ("edm_skip_extra", ["sigma_data", "encoder_type"], ["beta_d", "C_1", "M"]),
    ] {
      let configuration = try loadNetwork("golden/checkpoints/\(name).pkl").configuration
      let text = try JSONEncoder().encode(configuration)
      let fields = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
      for key in has { #expect(fields[key] != nil, "\(name) \(key)") }
      for key in hasNot { #expect(fields[key] == nil, "\(name) \(key)") }
      #expect(try JSONDecoder().decode(NetworkConfiguration.self, from: text) == configuration)
    }
  }

  @Test("iDDPM's predicted variance gets no gradient, everything before it does, as central differences say")
  func unusedVariance() throws {
    let network = try loadNetwork("golden/checkpoints/iddpm_adm_cond.pkl")
    let recorded = try Recorded("golden/nets/iddpm_adm_cond.h5")
    let x = try recorded.images("inputs/x").rows(1..<3)
    let tape = Tape()
    let variable = tape.variable(x)
    try KernelSet.with(.exact) {
      let bound = network.bound(to: tape)
      let output = bound(variable, sigma: [0.4, 2.5])
      tape.backward(from: output, gradient: Tensor(shape: output.shape, repeating: 1))
      let bias = try #require(network.specifications.firstIndex { $0.name == "model.out_conv.bias" })
      let gradient = try #require(bound.gradients[bias]).values
      #expect(gradient.count == 6 && gradient[3...].allSatisfy { $0 == 0 } && gradient[..<3].allSatisfy { $0 != 0 })
      let dx = try #require(variable.gradient).values
      func sum(_ index: Int, _ step: Float) -> Double {
        var moved = x
        moved.withUnsafeMutableBufferPointer { $0[index] += step }
        return network.denoise(moved, sigma: [0.4, 2.5]).values.reduce(0) { $0 + Double($1) }
      }
      for index in [0, 50, 191, 300] {
        let difference = (sum(index, 1e-2) - sum(index, -1e-2)) / 2e-2
        #expect(abs(difference - Double(dx[index])) <= 2e-2 * max(1, abs(difference)), "\(index)")
      }
    }
  }
}
