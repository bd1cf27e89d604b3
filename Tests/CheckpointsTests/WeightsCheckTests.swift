import Checkpoints
import HDF5
import TestSupport
import Testing

/// The tensors of a pickle against what PyTorch recorded of them: sum, L2 norm, first and last element, shape.
@Suite("Tensors are those that PyTorch reads")
struct WeightsCheckTests {
  @Test(
    "Sum, norm, ends and shape of every tensor",
    arguments: [
      "edm_ddpmpp_uncond", "edm_ddpmpp_cond", "edm_ncsnpp_uncond", "edm_skip_extra", "edm_adm_cond",
    ])
  func recorded(name: String) throws {
    let module = try Checkpoint.open(Fixtures.path("golden/checkpoints/\(name).pkl")).module("ema")
    let file = try HDF5File.open(Fixtures.path("golden/nets/\(name).h5"))
    let checks = try file.root.group("weights_check")
    #expect(checks.names.sorted() == module.tensorNames.sorted())
    for tensorName in module.tensorNames {
      let recorded = try checks.dataset(tensorName)
      let numbers = try recorded.read(Double.self)
      #expect(try module.shape(of: tensorName) == recorded.intsAttribute("shape"), "\(tensorName)")
      let values = try module.tensor(tensorName).values.map(Double.init)
      let sum = values.reduce(0, +)
      let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      // The order of a float64 summation leaves a few units in the last place of the terms' size.
      #expect(abs(sum - numbers[0]) <= 1e-12 * (1 + values.reduce(0) { $0 + abs($1) }), "\(tensorName)")
      #expect(abs(norm - numbers[1]) <= 1e-12 * (1 + norm), "\(tensorName)")
      #expect(values.first == numbers[2] && values.last == numbers[3], "\(tensorName)")
    }
  }
}
